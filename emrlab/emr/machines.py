"""A cluster's instances as nodes of this machine, and the site that applications see."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..applications import commands
from ..applications.application import Member, Role, Site, merged
from ..errors import LabError
from ..home import Home
from ..nodes.addresses import Range, claim, private_name
from ..nodes.node import Node
from ..nodes.ssh_gate import open_gate
from . import ids
from .access import metadata
from .instance_types import all_types
from .records import Cluster, Collection, Group, Instance
from .s3 import SECRET

INFO = "mnt/var/lib/info"


@dataclass(frozen=True)
class Wanted:
    """An instance to be launched. ``weight``, ``bid``: see ``Instance``."""

    instance_type: str
    market: str = "ON_DEMAND"
    weight: int = 1
    bid: float | None = None


def configurations(collection: Collection, instance_type: str) -> list[dict[str, Any]]:
    """A group's, or those that a fleet has for this instance type."""
    if isinstance(collection, Group):
        return collection.configurations
    found = next((one for one in collection.types if one["InstanceType"] == instance_type), {})
    return found.get("Configurations") or []


class Machines:
    """``members`` by EC2 instance id. Address range and folders are claimed by ``make`` and given back by ``end``."""

    def __init__(self, home: Home, cluster: Cluster, endpoint: str) -> None:
        self.home = home
        self.cluster = cluster
        self.endpoint = endpoint
        self.range: Range | None = None
        self.lock = threading.Lock()
        self.ended = False
        self.public_key = ""  # of who may log in to the nodes
        self.gone: list[Node] = []  # nodes that ended before the cluster
        # Without an instance profile nodes sign as the account.
        self.keys = None if cluster.ec2.get("IamInstanceProfile") else (cluster.account, SECRET)
        self.site = Site([], tuple(cluster.applications), endpoint, cluster.region, self.keys)

    def make(self, collection: Collection, wanted: Iterable[Wanted]) -> list[Instance]:
        """New instances of a group or fleet, PROVISIONING: folder, address, name. Raises ``LabError``, ``OSError``."""
        made = []
        for one in wanted:
            with self.lock:
                if self.ended:
                    raise LabError("The cluster has ended.")
                self.range = self.range or claim(self.cluster.id)
                address = self.range.take()
            instance = Instance(
                id=ids.made("ci"),
                cluster=self.cluster.id,
                state="PROVISIONING",
                group=collection.id,
                ec2=ids.instance(),
                instance_type=one.instance_type,
                market=one.market,
                address=address,
                name=private_name(address),
                role=collection.role,
                weight=one.weight,
                bid=one.bid,
            )
            self.add(collection, instance)
            made.append(instance)
        return made

    def add(self, collection: Collection, instance: Instance) -> None:
        folder = self.home.clusters / self.cluster.id / instance.ec2
        node = Node(folder, instance.address, instance.name, self.home.mark)
        node.make()
        node.settings |= metadata.environment(node, self.keys) | {"EMR_CLUSTER_ID": self.cluster.id}
        commands.system(node)
        role: Role = collection.role  # type: ignore[assignment]  # the model knows no other
        settings = merged(configurations(collection, instance.instance_type), merged(self.cluster.configurations))
        member = Member(node, role, all_types()[instance.instance_type].capacity, settings)
        with self.lock:
            # A list of its own: whoever goes through the old one is not disturbed.
            self.site.members = [*self.site.members, member]
        info = {
            "isMaster": role == "MASTER",
            "isRunningNameNode": role == "MASTER",
            "isRunningDataNode": role == "CORE",
            "isRunningResourceManager": role == "MASTER",
            "isRunningNodeManager": role != "MASTER",
            "instanceGroupId": collection.id,
        }
        node.write(f"{INFO}/instance.json", json.dumps(info, indent=1) + "\n")
        node.write(f"{INFO}/job-flow.json", json.dumps({"jobFlowId": self.cluster.id}, indent=1) + "\n")
        node.write_environment()
        if self.public_key:
            open_gate(node, self.public_key)

    @property
    def nodes(self) -> list[Node]:
        return [member.node for member in self.site.members]

    @property
    def master(self) -> Node:
        return self.site.master.node

    def member(self, instance: Instance) -> Member | None:
        """None: the instance's node is no more."""
        return next((one for one in self.site.members if one.node.folder.name == instance.ec2), None)

    def remove(self, instance: Instance) -> None:
        """The instance ends: its processes, and its place in the cluster. Its logs stay."""
        if member := self.member(instance):
            with self.lock:
                self.site.members = [one for one in self.site.members if one is not member]
                self.gone.append(member.node)
            member.node.stop()

    def end(self) -> None:
        """Give the address range back. The nodes are stopped by then, and no more are made."""
        with self.lock:
            self.ended = True
            if self.range:
                self.range.release()
                self.range = None


def dead(nodes: Iterable[Node]) -> list[Node]:
    """Nodes that had daemons of which none runs any more: machines that are gone."""
    return [node for node in nodes if node.daemons and all(node.ended(name) is not None for name in node.daemons)]
