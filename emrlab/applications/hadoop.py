"""Hadoop: HDFS, YARN and MapReduce. Every cluster has it, asked for or not, as on EMR."""

from __future__ import annotations

import functools
import logging
import re
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import LabError
from ..home import cache
from ..nodes import jvm
from ..nodes.archives import Archive
from ..nodes.artifacts import read_lock
from ..nodes.jre import java
from ..nodes.node import Daemon, Node
from ..nodes.waiting import OPENER, fetched, listening
from . import commands, files, hadoop_sites
from . import java as java_home
from .application import Application, Member, Say, Site
from .classpath import HADOOP, HDFS_WEB, LOCKS, S3, hadoop_classpath, hdfs_web, made
from .hadoop_sites import CONF, HISTORY, HISTORY_WEB, NAMENODE, NAMENODE_WEB, RESOURCEMANAGER_WEB

log = logging.getLogger(__name__)
MAIN = "org.apache.hadoop."
# Daemon → main class, heap (MiB), where its log lies, the variable that *-env adds flags with.
DAEMONS = {
    "namenode": ("hdfs.server.namenode.NameNode", 128, "hadoop-hdfs", "HDFS_NAMENODE_OPTS"),
    "datanode": ("hdfs.server.datanode.DataNode", 96, "hadoop-hdfs", "HDFS_DATANODE_OPTS"),
    "resourcemanager": ("yarn.server.resourcemanager.ResourceManager", 160, "hadoop-yarn", "YARN_RESOURCEMANAGER_OPTS"),
    "nodemanager": ("yarn.server.nodemanager.NodeManager", 112, "hadoop-yarn", "YARN_NODEMANAGER_OPTS"),
    "historyserver": ("mapreduce.v2.hs.JobHistoryServer", 112, "hadoop-mapreduce", "MAPRED_HISTORYSERVER_OPTS"),
}
ENVS = ("hadoop-env", "hdfs-env", "yarn-env", "mapred-env")
# What HDFS has on a new cluster: path → permissions.
FOLDERS = {
    "/tmp": "1777",
    "/user/hadoop": "755",
    "/var/log/hadoop-yarn/apps": "1777",
    "/tmp/hadoop-yarn/staging": "1777",
}


class Hadoop(Application):
    name = "Hadoop"
    version = next(one.version for one in read_lock(HADOOP) if one.name == "hadoop-common")
    locks = (HADOOP, S3, HDFS_WEB)
    classifications = frozenset(
        ("core-site", "hdfs-site", "yarn-site", "mapred-site", "capacity-scheduler", "hadoop-log4j", *ENVS)
    )

    restarts = {
        **dict.fromkeys(("core-site", "hadoop-env", "hadoop-log4j"), tuple(DAEMONS)),
        **dict.fromkeys(("hdfs-site", "hdfs-env"), ("namenode", "datanode")),
        **dict.fromkeys(("yarn-site", "yarn-env"), ("resourcemanager", "nodemanager")),
        **dict.fromkeys(("mapred-site", "mapred-env"), ("historyserver",)),
        "capacity-scheduler": ("resourcemanager",),
    }

    def prepare(self, say: Say | None = None) -> None:
        classpath()
        hdfs_web()
        formatted()

    def archives(self) -> Sequence[Archive]:
        return (archive(),)

    def install(self, site: Site, member: Member) -> None:
        node = member.node
        hadoop_sites.write(site, member)
        jars(node)
        java_home.install(node, archive())
        commands.system(node)
        commands.hadoop(node)
        node.settings |= {
            "HADOOP_CONF_DIR": str(node.path(CONF)),
            "YARN_CONF_DIR": str(node.path(CONF)),
            "HADOOP_USER_NAME": "hadoop",
        }
        node.settings |= files.expanded(member.exports(*ENVS), node.environment)

    def daemons(self, site: Site, member: Member) -> Iterable[Daemon]:
        master, node = site.master.node, member.node
        if member.role == "MASTER":
            new_namenode(node)
            yield daemon(member, "resourcemanager", partial(listening, node.address, RESOURCEMANAGER_WEB))
            yield daemon(member, "namenode", partial(namenode_active, node.address))
        if site.runs(member, "CORE"):
            # A DataNode that asks too early sleeps five seconds.
            yield daemon(
                member, "datanode", partial(listening, node.address, 9864), partial(listening, master.address, NAMENODE)
            )
        if site.runs(member, "CORE", "TASK"):
            yield daemon(member, "nodemanager", partial(listening, node.address, 8042))
        if member.role == "MASTER":
            # It takes longest and nobody asks it before the first MapReduce job has ended.
            yield daemon(
                member,
                "historyserver",
                partial(listening, node.address, HISTORY_WEB),
                lambda: self.healthy(site),
                needed=False,
            )

    def healthy(self, site: Site) -> bool:
        """All DataNodes and NodeManagers of the site are known, and HDFS takes writes."""
        address = site.master.node.address
        yarn = fetched(f"http://{address}:{RESOURCEMANAGER_WEB}/ws/v1/cluster/metrics").get("clusterMetrics", {})
        managers = sum(site.runs(one, "CORE", "TASK") for one in site.members)
        if yarn.get("activeNodes", 0) < managers:
            return False
        hdfs = bean(address, "FSNamesystemState")
        stores = sum(site.runs(one, "CORE") for one in site.members)
        return hdfs.get("FSState") == "Operational" and hdfs.get("NumLiveDataNodes", 0) >= stores

    def settle(self, site: Site) -> None:
        for path, permission in FOLDERS.items():
            make_folder(site, path, permission)


@functools.cache
def classpath() -> tuple[Path, ...]:
    return tuple(hadoop_classpath())


def archive() -> Archive:
    return Archive("hadoop", classpath(), LOCKS / "hadoop.classes.gz")


def jars(node: Node) -> None:
    """``usr/lib/hadoop`` and its kin: the jars where EMR has them, as links."""
    for path in classpath():
        link(node, f"usr/lib/hadoop/{path.name}", path)
        if path.name.startswith("hadoop-streaming-"):
            link(node, "usr/lib/hadoop/hadoop-streaming.jar", path)
            link(node, "usr/lib/hadoop-mapreduce/hadoop-streaming.jar", path)
        if path.name.startswith("hadoop-mapreduce-examples-"):
            link(node, "usr/lib/hadoop-mapreduce/hadoop-mapreduce-examples.jar", path)


def link(node: Node, name: str, target: Path) -> None:
    place = node.path(name)
    place.parent.mkdir(parents=True, exist_ok=True)
    if not place.is_symlink():
        place.symlink_to(target)


def daemon(
    member: Member,
    name: str,
    ready: Callable[[], bool],
    after: Callable[[], bool] | None = None,
    needed: bool = True,
) -> Daemon:
    main, heap, folder, variable = DAEMONS[name]
    node = member.node
    extra = files.expanded(member.exports(*ENVS), node.environment).get(variable, "").split()
    folders = [hdfs_web(), node.path(CONF)]
    logs = node.path("var", "log", folder)
    flags = [f"-Dproc_{name}", f"-Dhadoop.log.dir={logs}", *extra]
    command = jvm.daemon(node, MAIN + main, heap, [*classpath(), *folders], archive(), flags)
    file = f"{folder}/hadoop-hadoop-{name}-{node.name.partition('.')[0]}.log"
    return Daemon(name, command, file, ready, after, needed)


def namenode_active(address: str) -> bool:
    return bean(address, "NameNodeStatus").get("State") == "active"


def bean(address: str, name: str) -> dict[str, Any]:
    """One of the NameNode's JMX beans; empty while it does not answer."""
    found = fetched(f"http://{address}:{NAMENODE_WEB}/jmx?qry=Hadoop:service=NameNode,name={name}").get("beans", [])
    return found[0] if found else {}


def make_folder(site: Site, path: str, permission: str, owner: str = "hadoop") -> None:
    """A folder in HDFS, over WebHDFS: no JVM needs to start for it. Raises ``LabError``."""
    query = urllib.parse.urlencode({"op": "MKDIRS", "permission": permission, "user.name": owner})
    url = f"http://{site.master.node.address}:{NAMENODE_WEB}/webhdfs/v1{path}?{query}"
    try:
        with OPENER.open(urllib.request.Request(url, method="PUT"), timeout=20) as answer:
            answer.read()
    except OSError as error:
        raise LabError(f"HDFS did not make {path}: {error}") from error


# The NameNode's first image


def formatted() -> Path:
    """The image of an empty HDFS, made once: formatting takes longer than copying."""
    return made(cache() / f"namenode-{Hadoop.version}-{hadoop_sites.SUPERGROUP}", format_image)


def format_image(folder: Path) -> None:
    conf = folder / "conf"
    conf.mkdir()
    values = {
        "fs.defaultFS": "hdfs://127.0.0.1:8020",
        "dfs.namenode.name.dir": f"file://{folder / 'name'}",
        "dfs.permissions.superusergroup": hadoop_sites.SUPERGROUP,
    }
    text = "".join(f"<property><name>{key}</name><value>{value}</value></property>" for key, value in values.items())
    for name in ("core-site.xml", "hdfs-site.xml"):
        (conf / name).write_text(f"<configuration>{text}</configuration>")
    places = ":".join(map(str, [*classpath(), conf]))
    command = [str(java()), "-Xmx128m", "-XX:+UseSerialGC", *archive().options(), *jvm.ALWAYS, "-cp", places]
    said = subprocess.run(
        [*command, MAIN + DAEMONS["namenode"][0], "-format", "-nonInteractive"],
        env={"HADOOP_USER_NAME": "hadoop"},
        capture_output=True,
        text=True,
        check=False,
    )
    if said.returncode or not (folder / "name" / "current" / "VERSION").is_file():
        raise LabError(f"HDFS could not be formatted:\n{(said.stdout + said.stderr)[-2000:]}")
    shutil.rmtree(conf)


def new_namenode(node: Node) -> None:
    """An empty HDFS on ``node``, with ids of its own: a DataNode of another cluster must not fit."""
    place = node.path("mnt", "namenode")
    if place.exists():
        return
    shutil.copytree(formatted() / "name", place)
    version = place / "current" / "VERSION"
    text = version.read_text()
    pool = f"BP-{uuid.uuid4().int % 2**31}-{node.address}-{int(time.time() * 1000)}"
    text = re.sub(r"^clusterID=.*$", f"clusterID=CID-{uuid.uuid4()}", text, flags=re.MULTILINE)
    text = re.sub(r"^blockpoolID=.*$", f"blockpoolID={pool}", text, flags=re.MULTILINE)
    version.write_text(text)


__all__ = ["HISTORY", "Hadoop", "make_folder"]
