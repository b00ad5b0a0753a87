"""One real cluster for all engine tests of this room: a master and two core nodes with Hadoop and Spark.

It lives as long as the room's tests. Each test takes paths, buckets and names of its own.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest

import emrlab.emr
from emrlab.applications import archives
from emrlab.applications.application import Capacity, Member, Role, Site, merged
from emrlab.applications.launch import start_up
from emrlab.home import Home
from emrlab.nodes import addresses
from emrlab.nodes.node import Node
from emrlab.nodes.waiting import fetched
from emrlab.region import control
from tests.conftest import empty_home, running_region

TYPES = json.loads((Path(emrlab.emr.__file__).parent / "instance_types.json").read_text())
# What JVMs and Spark leave in a machine's folder for temporary files when nobody tells them of another.
LITTER = (
    *("hsperfdata_*", "jetty-*", "hadoop-*", "spark-*", "blockmgr-*", "liblz4*", "libzstd*", "libleveldb*", "*.so"),
    *("streamjob*", "snappy-*", "libnetty*", "librocksdb*", "artifacts-*", "*_resources", "Jetty*"),
)
CONFIGURATIONS: list[dict[str, Any]] = [
    {"Classification": "core-site", "Properties": {"io.file.buffer.size": "12345"}},
    {"Classification": "hdfs-site", "Properties": {"dfs.replication": "2"}},
    {"Classification": "yarn-site", "Properties": {"yarn.lab.word": "from & <yarn>"}},
    {"Classification": "mapred-site", "Properties": {"mapreduce.job.maps": "7"}},
    {
        "Classification": "capacity-scheduler",
        "Properties": {
            "yarn.scheduler.capacity.root.queues": "default,lab",
            "yarn.scheduler.capacity.root.default.capacity": "75",
            "yarn.scheduler.capacity.root.default.maximum-capacity": "100",
            "yarn.scheduler.capacity.root.lab.capacity": "25",
        },
    },
    {"Classification": "hadoop-log4j", "Properties": {"log4j.logger.lab": "DEBUG"}},
    {"Classification": "spark-defaults", "Properties": {"spark.lab.word": "a word"}},
    {
        "Classification": "hadoop-env",
        "Configurations": [
            {
                "Classification": "export",
                "Properties": {"HADOOP_LAB_WORD": "seen", "HDFS_DATANODE_OPTS": "-Dlab.word=heard"},
            }
        ],
    },
    {
        "Classification": "spark-env",
        "Configurations": [{"Classification": "export", "Properties": {"SPARK_LAB_WORD": "$HOSTNAME"}}],
    },
]


def capacity(instance_type: str = "m5.xlarge") -> Capacity:
    row = dict(zip(TYPES["columns"], TYPES["types"][instance_type], strict=True))
    return Capacity(**{field.name: row[field.name] for field in fields(Capacity)})


@dataclass
class Cluster:
    """A site, and what a test does with it."""

    site: Site
    range: addresses.Range
    root: Path
    nodes: int = 0  # ever made
    configurations: Sequence[Mapping[str, object]] = ()

    def add(self, role: Role) -> Member:
        address = self.range.take()
        folder = self.root / f"i-{self.nodes}"
        self.nodes += 1
        node = Node(folder, address, addresses.private_name(address), Home(self.root.parents[1]).mark)
        member = Member(node, role, capacity(), merged(self.configurations))
        self.site.members.append(member)
        return member

    @property
    def master(self) -> Node:
        return self.site.master.node

    @property
    def core(self) -> list[Node]:
        return [member.node for member in self.site.members if member.role == "CORE"]

    def run(self, *command: str, env: Mapping[str, str] | None = None, status: int | None = 0) -> str:
        """What a command says on the master node, both streams. ``status``: what it must end with."""
        done = subprocess.run(
            command,
            env={**login(self.master), **(env or {})},
            cwd=self.master.path("home", "hadoop"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=120,
        )
        assert status is None or done.returncode == status, f"{command} ended with {done.returncode}:\n{done.stdout}"
        return done.stdout

    def yarn(self, path: str) -> Any:
        """The ResourceManager's REST answer."""
        return fetched(f"http://{self.master.address}:8088/ws/v1/cluster/{path}", 10)

    def hdfs(self, bean: str) -> Any:
        """One of the NameNode's JMX beans."""
        return fetched(f"http://{self.master.address}:9870/jmx?qry=Hadoop:service=NameNode,name={bean}")["beans"][0]

    def end(self) -> None:
        for member in self.site.members:
            member.node.stop()
        left = [process for member in self.site.members for process in member.node.processes()]
        self.range.release()
        assert left == []


def running(node: Node, word: str) -> bool:
    """Whether a process of ``node`` has ``word`` among the words of its command line."""
    for process in node.processes():
        with suppress(psutil.Error):
            if word in process.cmdline():
                return True
    return False


def login(node: Node) -> dict[str, str]:
    """The environment of a login on ``node``, as others read it: the lines of etc/environment."""
    lines = node.path("etc", "environment").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


def make_cluster(
    home: Home, name: str, endpoint: str, core: int, configurations: Sequence[Mapping[str, object]] = ()
) -> Cluster:
    root = home.clusters / name
    site = Site([], ("Hadoop", "Spark"), endpoint, "us-east-1", ("test", "test"))
    cluster = Cluster(site, addresses.claim(str(root)), root, configurations=configurations)
    cluster.add("MASTER")
    for _ in range(core):
        cluster.add("CORE")
    return cluster


def litter() -> set[Path]:
    places = [(Path(tempfile.gettempdir()), LITTER), (Path.home(), (".ivy2", ".m2", ".cache/*", "derby.log"))]
    return {found for folder, patterns in places for pattern in patterns for found in folder.glob(pattern)}


@pytest.fixture(scope="package")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """The room's home."""
    yield from empty_home(tmp_path_factory)


@pytest.fixture(scope="package")
def region(home: Home) -> Iterator[control.Region]:
    """The room's region, for S3."""
    yield from running_region(home)


@pytest.fixture(scope="package")
def aws(region: control.Region) -> Callable[..., Any]:
    session = boto3.session.Session()
    return session.client


@pytest.fixture(scope="package")
def cluster(home: Home, region: control.Region) -> Iterator[Cluster]:
    """The running cluster: ended afterwards, with no process and no file left elsewhere."""
    before = litter()
    for archive in archives():
        assert archive.build()  # on a new machine they are not there yet, and tests look at who uses them
    made = make_cluster(home, "j-SHARED", region.endpoint, 2, CONFIGURATIONS)
    try:
        start_up(made.site)
        yield made
    finally:
        made.end()
    assert litter() <= before


@pytest.fixture
def bucket(aws: Callable[..., Any], request: pytest.FixtureRequest) -> Any:
    """An empty bucket of the test's own, as a boto3 resource."""
    name = "lab-" + request.node.name.replace("_", "-").partition("[")[0][-50:].strip("-")
    found = boto3.session.Session().resource("s3").Bucket(name)
    found.create()
    return found
