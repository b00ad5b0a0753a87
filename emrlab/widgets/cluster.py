"""A cluster as anybody may see it: EMR's API, YARN's REST, HDFS's JMX."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

RESOURCE_MANAGER, NAME_NODE = 8088, 9870  # EMR's ports ("View web interfaces hosted on Amazon EMR clusters")
OVER = ("TERMINATED", "TERMINATED_WITH_ERRORS")
STEP_OVER = ("COMPLETED", "FAILED", "CANCELLED", "INTERRUPTED")
UP = ("BOOTSTRAPPING", "RUNNING", "WAITING", "TERMINATING")
# Loopback needs no proxy, whatever the environment says.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Node:
    """An instance, and what its daemons say. None: they say nothing (yet). Sizes in bytes, YARN's memory in MB."""

    role: str
    id: str
    type: str
    state: str
    address: str = ""
    name: str = ""
    daemons: tuple[str, ...] = ()
    containers: int | None = None
    used_mb: int = 0
    total_mb: int = 0
    blocks: int | None = None
    hdfs_used: int = 0
    hdfs_capacity: int = 0


@dataclass(frozen=True)
class Step:
    id: str
    name: str
    state: str
    reason: str = ""
    log: str = ""
    started: datetime | None = None
    ended: datetime | None = None
    progress: float | None = None  # of its YARN application, 0 to 100

    @property
    def seconds(self) -> float | None:
        return (self.ended - self.started).total_seconds() if self.started and self.ended else None


@dataclass(frozen=True)
class Cluster:
    id: str
    name: str
    state: str
    reason: str = ""
    code: str = ""
    release: str = ""
    applications: tuple[str, ...] = ()
    log_uri: str = ""
    master: str = ""  # where the master's daemons answer
    nodes: tuple[Node, ...] = ()
    steps: tuple[Step, ...] = ()
    under_replicated: int = 0

    @property
    def over(self) -> bool:
        return self.state in OVER

    def step(self, step_id: str) -> Step | None:
        return next((step for step in self.steps if step.id == step_id), None)


def rest(address: str, port: int, path: str, timeout: float = 2.0) -> dict[str, Any]:
    """What ``http://address:port/path`` answers as JSON; empty while it does not."""
    try:
        with OPENER.open(f"http://{address}:{port}{path}", timeout=timeout) as answer:
            found = json.loads(answer.read())
            return found if isinstance(found, dict) else {}
    except (OSError, ValueError):
        return {}


def look(emr: Any, cluster_id: str) -> Cluster:
    """The cluster now. ``emr``: boto3's client. Raises the client's error for an unknown id."""
    told = emr.describe_cluster(ClusterId=cluster_id)["Cluster"]
    status = told["Status"]
    change = status.get("StateChangeReason", {})
    state, master = status["State"], told.get("MasterPublicDnsName", "")
    asked = master if state in UP else ""
    yarn = rest(asked, RESOURCE_MANAGER, "/ws/v1/cluster/nodes") if asked else {}
    apps = rest(asked, RESOURCE_MANAGER, "/ws/v1/cluster/apps") if yarn else {}
    names = beans(asked, "NameNodeInfo") if asked else {}
    hdfs = beans(asked, "FSNamesystem") if names else {}
    nodes = merge(instances(emr, told), yarn, names)
    if yarn or names:
        daemons = (*(["NameNode"] if names else []), *(["ResourceManager"] if yarn else []))
        nodes = [with_daemons(node, daemons) if node.role == "MASTER" else node for node in nodes]
    return Cluster(
        id=cluster_id,
        name=told.get("Name", ""),
        state=state,
        reason=change.get("Message", ""),
        code=change.get("Code", ""),
        release=told.get("ReleaseLabel", ""),
        applications=tuple(f"{one['Name']} {one.get('Version', '')}".strip() for one in told.get("Applications", [])),
        log_uri=told.get("LogUri", ""),
        master=master,
        nodes=tuple(nodes),
        steps=tuple(steps(emr, cluster_id, apps)),
        under_replicated=int(hdfs.get("UnderReplicatedBlocks", 0)),
    )


def beans(address: str, name: str) -> dict[str, Any]:
    """One of the NameNode's JMX beans."""
    found = rest(address, NAME_NODE, f"/jmx?qry=Hadoop:service=NameNode,name={name}").get("beans", [])
    return found[0] if found else {}


def instances(emr: Any, told: dict[str, Any]) -> Iterable[Node]:
    """The cluster's instances by role: master, core, task. Those that are gone only when the cluster is."""
    cluster_id, over = told["Id"], told["Status"]["State"] in OVER
    fleets = told.get("InstanceCollectionType") == "INSTANCE_FLEET"
    operation, key, kind = (
        ("list_instance_fleets", "InstanceFleets", "InstanceFleetType")
        if fleets
        else ("list_instance_groups", "InstanceGroups", "InstanceGroupType")
    )
    pages = emr.get_paginator(operation).paginate(ClusterId=cluster_id)
    roles = {group["Id"]: group[kind] for page in pages for group in page[key]}
    found = []
    for page in emr.get_paginator("list_instances").paginate(ClusterId=cluster_id):
        for one in page["Instances"]:
            state = one.get("Status", {}).get("State", "")
            if state == "TERMINATED" and not over:
                continue
            role = roles.get(one.get("InstanceGroupId") or one.get("InstanceFleetId", ""), "CORE")
            address, name = one.get("PrivateIpAddress", ""), one.get("PrivateDnsName", "")
            found.append(Node(role, one["Ec2InstanceId"], one.get("InstanceType", ""), state, address, name))
    order = ("MASTER", "CORE", "TASK")
    return sorted(found, key=lambda node: (order.index(node.role), tuple(map(part, node.address.split(".")))))


def part(text: str) -> int:
    return int(text) if text.isdigit() else 0


def merge(nodes: Iterable[Node], yarn: dict[str, Any], names: dict[str, Any]) -> list[Node]:
    """``nodes`` with what the ResourceManager and the NameNode know of each."""
    managers = (yarn.get("nodes") or {}).get("node", [])
    stores = json.loads(names.get("LiveNodes") or "{}")
    made = []
    for node in nodes:
        values = dict(vars(node))
        daemons: list[str] = []
        for store_name, store in stores.items():
            if same(node, store_name, store.get("xferaddr", ""), store.get("infoAddr", "")):
                daemons.append("DataNode")
                values |= {"blocks": store.get("numBlocks", 0), "hdfs_used": store.get("usedSpace", 0)}
                values["hdfs_capacity"] = store.get("capacity", 0)
        for manager in managers:
            if same(node, manager.get("nodeHostName", ""), manager.get("nodeHTTPAddress", "")):
                if manager.get("state") == "RUNNING":
                    daemons.append("NodeManager")
                    values["containers"] = manager.get("numContainers", 0)
                values["used_mb"] = manager.get("usedMemoryMB", 0)
                values["total_mb"] = values["used_mb"] + manager.get("availMemoryMB", 0)
        made.append(Node(**{**values, "daemons": tuple(daemons)}))
    return made


def same(node: Node, *places: str) -> bool:
    """Whether a daemon that calls itself one of ``places`` (``host:port`` or ``host``) is on ``node``."""
    hosts = {place.rpartition(":")[0] or place for place in places if place}
    return bool(hosts & {node.address, node.name})


def with_daemons(node: Node, daemons: tuple[str, ...]) -> Node:
    return Node(**{**vars(node), "daemons": (*daemons, *node.daemons)})


def steps(emr: Any, cluster_id: str, apps: dict[str, Any]) -> Iterable[Step]:
    """The cluster's steps, oldest first."""
    running = (apps.get("apps") or {}).get("app", [])
    listed = [step for page in emr.get_paginator("list_steps").paginate(ClusterId=cluster_id) for step in page["Steps"]]
    for told in reversed(listed):
        status = told["Status"]
        times, failure = status.get("Timeline", {}), status.get("FailureDetails", {})
        reason = failure.get("Message") or failure.get("Reason") or status.get("StateChangeReason", {}).get("Message")
        started = times.get("StartDateTime")
        progress = None
        if status["State"] == "RUNNING" and started:
            since = started.timestamp() * 1000 - 1000
            mine = [app for app in running if app.get("startedTime", 0) >= since]
            progress = max((float(app.get("progress", 0)) for app in mine), default=None)
        yield Step(
            told["Id"],
            told["Name"],
            status["State"],
            reason or "",
            failure.get("LogFile", ""),
            started,
            times.get("EndDateTime"),
            progress,
        )
