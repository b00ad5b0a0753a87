"""Nodes that leave a running cluster: YARN lets their work end, HDFS copies their blocks elsewhere first.

See "Cluster scale-down options for Amazon EMR clusters" (graceful decommission), and Hadoop's "Graceful Decommission of
YARN Nodes" and "HDFS DataNode Admin Guide".
"""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

from ..errors import LabError
from ..nodes.node import Node
from ..nodes.waiting import fetched, until
from . import hadoop
from .application import Member, Site
from .hadoop_sites import CONF, RESOURCEMANAGER_WEB

TIMEOUT = "yarn.resourcemanager.nodemanager-graceful-decommission-timeout-secs"
SECONDS = 3600  # EMR's default
COMMAND_SECONDS = 60
STATES = "NEW,RUNNING,UNHEALTHY,DECOMMISSIONING,DECOMMISSIONED,LOST,REBOOTED,SHUTDOWN"
OUT = ("DECOMMISSIONED", "LOST", "SHUTDOWN")
_lock = threading.Lock()  # the lists of excluded nodes are read, changed and written


def timeout(site: Site) -> int:
    """Seconds that YARN lets a leaving node's work go on."""
    return int(site.master.of("yarn-site").get(TIMEOUT, SECONDS))


def yarn_nodes(site: Site) -> dict[str, dict[str, Any]]:
    """What the ResourceManager tells of each node, by private DNS name. Empty while it does not answer."""
    url = f"http://{site.master.node.address}:{RESOURCEMANAGER_WEB}/ws/v1/cluster/nodes?states={STATES}"
    nodes = (fetched(url).get("nodes") or {}).get("node") or []
    return {one["nodeHostName"]: one for one in nodes}


def masters_of_applications(site: Site) -> set[str]:
    """Names of nodes on which an application master runs."""
    url = f"http://{site.master.node.address}:{RESOURCEMANAGER_WEB}/ws/v1/cluster/apps?states=ACCEPTED,RUNNING"
    apps = (fetched(url).get("apps") or {}).get("app") or []
    return {one.get("amHostHttpAddress", "").partition(":")[0] for one in apps} - {""}


def stores(site: Site) -> dict[str, dict[str, Any]]:
    """What the NameNode tells of each living DataNode, by private DNS name."""
    told = json.loads(hadoop.bean(site.master.node.address, "NameNodeInfo").get("LiveNodes", "{}"))
    return {name.partition(":")[0]: one for name, one in told.items()}


def drain(
    site: Site,
    leaving: Sequence[Member],
    seconds: int | None = None,
    stopped: Callable[[], bool] = lambda: False,
    say: Callable[[str], object] = lambda text: None,
) -> bool:
    """Take ``leaving`` out of service, and return when no task's result and no block would be lost with them.

    ``seconds``: the most that YARN waits for work on them (default: the cluster's setting); HDFS takes the time it
    needs. False when ``stopped`` came first; ``readmit`` undoes what was begun. Raises ``LabError`` when Hadoop's own
    tools fail.
    """
    limit = timeout(site) if seconds is None else seconds
    names = {one.node.name for one in leaving}
    data = {one.node.name for one in leaving if site.runs(one, "CORE")}
    exclude(site, dict.fromkeys(names, limit), ())
    while True:
        yarn, hdfs = yarn_nodes(site), stores(site)
        working = [name for name in names if yarn.get(name, {}).get("state", "LOST") not in OUT]
        holding = [name for name in data if hdfs.get(name, {}).get("adminState", "Decommissioned") != "Decommissioned"]
        if not working and not holding:
            return True
        containers = sum(yarn[name].get("numContainers", 0) for name in working)
        blocks = sum(hdfs[name].get("numBlocks", 0) for name in holding)
        say(f"Decommissioning {len(names)} instances: {containers} containers running, {blocks} blocks to move")
        if until(stopped, 0.5):
            return False


def readmit(site: Site, members: Sequence[Member]) -> None:
    """Undo ``drain``. A NodeManager that has left already is started again."""
    exclude(site, {}, [one.node.name for one in members])
    for member in members:
        for daemon in hadoop.Hadoop().daemons(site, member):
            if member.node.ended(daemon.name) is not None:
                member.node.start(daemon)


def exclude(site: Site, more: Mapping[str, int], fewer: Iterable[str]) -> None:
    """Change which nodes Hadoop does without, and tell it. ``more``: name → seconds."""
    master = site.master.node
    with _lock:
        for name in fewer:
            site.excluded.pop(name, None)
        site.excluded |= more
        hosts = "".join(
            f"<host><name>{escape(name)}</name><timeout>{seconds}</timeout></host>\n"
            for name, seconds in site.excluded.items()
        )
        master.write(f"{CONF}/yarn.exclude.xml", f"<hosts>\n{hosts}</hosts>\n")
        master.write(f"{CONF}/dfs.exclude", "".join(f"{name}\n" for name in site.excluded))
        told = [
            begun(master, ["yarn", "rmadmin", "-refreshNodes", "-g", "-server"]),
            begun(master, ["hdfs", "dfsadmin", "-refreshNodes"]),
        ]
        for process in told:
            finished(process)


def begun(node: Node, command: list[str]) -> subprocess.Popen[Any]:
    program = str(node.path("usr", "bin", command[0]))
    return node.run([program, *command[1:]], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def finished(process: subprocess.Popen[Any]) -> None:
    try:
        said, _ = process.communicate(timeout=COMMAND_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        said, _ = process.communicate()
    if process.returncode:
        command = " ".join(process.args[1:] if isinstance(process.args, list) else [])
        raise LabError(f"Hadoop refused to refresh its nodes ({command}): {said.decode(errors='replace')[-1000:]}")
