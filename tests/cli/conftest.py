"""Stand-ins for the rooms behind the command line, so that each command's own behaviour can be tested in a moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import click.testing
import pytest
from moto import mock_aws

import emrlab.applications
import emrlab.nodes
import emrlab.region
from emrlab.cli import aws, main

CREDENTIALS = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}


@dataclass
class FakeRegion:
    """What ``control.Region`` tells."""

    endpoint: str = "http://127.0.0.1:4599"
    pid: int = 4711
    warden_pid: int = 4710
    account: str = "000000000000"
    name: str = "us-east-1"
    home: Path = Path("/nowhere")
    started: float = 0.0


@dataclass
class FakeControl:
    """``emrlab.region.control`` with a region that is a flag."""

    region: FakeRegion | None = None
    calls: list[str] = field(default_factory=list)
    fails: Exception | None = None

    def up(self, home: Any = None, port: int | None = None, progress: Callable[..., None] | None = None) -> FakeRegion:
        self.calls.append(f"up {port}")
        if self.fails:
            raise self.fails
        if progress:
            progress("waiting for the endpoint")
        self.region = self.region or FakeRegion()
        return self.region

    def down(self, home: Any = None, progress: Callable[..., None] | None = None) -> bool:
        self.calls.append("down")
        was, self.region = self.region, None
        return was is not None

    def status(self, home: Any = None) -> FakeRegion | None:
        return self.region

    def environment(self, region: FakeRegion) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": region.endpoint,
            "AWS_ACCESS_KEY_ID": region.account,
            "AWS_SECRET_ACCESS_KEY": "it's a secret",
        }

    def names(self, home: Any = None) -> list[str]:
        return list(self.environment(FakeRegion()))


def replace(monkeypatch: pytest.MonkeyPatch, package: ModuleType, name: str, content: dict[str, Any]) -> ModuleType:
    """Put a module of ``content`` in the place of ``package.name``."""
    module = ModuleType(f"{package.__name__}.{name}")
    vars(module).update(content)
    monkeypatch.setitem(__import__("sys").modules, module.__name__, module)
    monkeypatch.setattr(package, name, module, raising=False)
    return module


@pytest.fixture
def control(monkeypatch: pytest.MonkeyPatch) -> FakeControl:
    """No region yet; ``control.up()`` makes one."""
    fake = FakeControl()
    names = ("up", "down", "status", "environment", "names")
    replace(monkeypatch, emrlab.region, "control", {name: getattr(fake, name) for name in names})
    return fake


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty ``EMRLAB_HOME`` (and cache beside it)."""
    root = tmp_path / "home"
    monkeypatch.setenv("EMRLAB_HOME", str(root))
    monkeypatch.setenv("EMRLAB_CACHE", str(tmp_path / "cache"))
    return root


@pytest.fixture
def emrlab_command(place: Path) -> Callable[..., click.testing.Result]:
    """Run ``emrlab …`` in this process."""

    def run(*arguments: str, **options: Any) -> click.testing.Result:
        return click.testing.CliRunner().invoke(main, arguments, **options)

    return run


@dataclass
class Account:
    """An AWS account in memory, with one cluster and one step."""

    emr: Any
    s3: Any
    cluster: str
    step: str
    node: Path


@pytest.fixture
def account(control: FakeControl, place: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A running region whose AWS answers come from moto, and the master node's folder as a cluster leaves it."""
    control.up()
    with mock_aws():
        monkeypatch.setattr(aws, "client", lambda service, region: boto3.client(service, **CREDENTIALS))
        emr, s3 = boto3.client("emr", **CREDENTIALS), boto3.client("s3", **CREDENTIALS)
        s3.create_bucket(Bucket="my-bucket")
        cluster = emr.run_job_flow(
            Name="delays",
            LogUri="s3://my-bucket/emr/",
            ReleaseLabel="emr-7.9.0",
            Instances={
                "InstanceGroups": [
                    {"InstanceRole": role, "InstanceType": "m5.xlarge", "InstanceCount": count}
                    for role, count in (("MASTER", 1), ("CORE", 2))
                ],
                "KeepJobFlowAliveWhenNoSteps": True,
            },
            Steps=[{"Name": "report", "HadoopJarStep": {"Jar": "command-runner.jar", "Args": ["true"]}}],
        )["JobFlowId"]
        step = emr.list_steps(ClusterId=cluster)["Steps"][0]["Id"]
        master = emr.list_instances(ClusterId=cluster, InstanceGroupTypes=["MASTER"])["Instances"][0]
        node = place / "clusters" / cluster / (master.get("Ec2InstanceId") or master["Id"])
        for folder in ("etc", "usr/bin", "home/hadoop", f"var/log/hadoop/steps/{step}", "var/log/hadoop-hdfs"):
            (node / folder).mkdir(parents=True)
        (node / "etc" / "environment").write_text(
            f"HADOOP_CONF_DIR={node}/etc/hadoop\nPATH={node}/usr/bin:/usr/bin:/bin\n"
        )
        (node / "var/log/hadoop-hdfs/hadoop-hdfs-namenode-ip.log").write_text("NameNode is up\n")
        yield Account(emr, s3, cluster, step, node)


@dataclass(frozen=True)
class FakeArtifact:
    name: str
    size: int


@dataclass
class FakeApplication:
    name: str
    version: str
    locks: tuple[Path, ...]
    extras: tuple[Path, ...] = ()


@dataclass
class Shop:
    """What the fake store holds and was asked for."""

    artifacts: dict[Path, list[FakeArtifact]]
    here: set[FakeArtifact] = field(default_factory=set)
    prepared: list[str] = field(default_factory=list)
    fails: Exception | None = None


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Shop:
    """Two applications that share one artifact, in a store that is empty."""
    from emrlab.errors import LabError

    common = FakeArtifact("common", 1_000_000)
    content = Shop({Path("hadoop.lock"): [common, FakeArtifact("hdfs", 2_000_000)], Path("spark.lock"): [common]})
    content.artifacts[Path("connect.lock")] = [FakeArtifact("connect", 500_000)]
    known = {
        "Hadoop": FakeApplication("Hadoop", "3.4.2", (Path("hadoop.lock"),)),
        "Spark": FakeApplication("Spark", "3.5.9", (Path("hadoop.lock"), Path("spark.lock")), (Path("connect.lock"),)),
    }

    class Store:
        def missing(self, artifacts: list[FakeArtifact]) -> list[FakeArtifact]:
            return [artifact for artifact in artifacts if artifact not in content.here]

        def fetch(self, artifacts: list[FakeArtifact], progress: Any = None) -> None:
            if content.fails:
                raise content.fails
            total = sum(artifact.size for artifact in artifacts)
            progress(0, total)
            content.here.update(artifacts)
            progress(total, total)

        def export_bundle(self, file: Path, artifacts: list[FakeArtifact]) -> None:
            file.write_text(" ".join(artifact.name for artifact in artifacts))

        def import_bundle(self, file: Path) -> None:
            content.here.update(one for lock in content.artifacts.values() for one in lock)

    def resolve(names: Any) -> list[FakeApplication]:
        unknown = [name for name in names if name not in known]
        if unknown:
            raise LabError(f"There is no application {unknown[0]}. See which there are: emrlab fetch --list")
        return [known[name] for name in names]

    artifacts = {"Store": Store, "read_lock": content.artifacts.__getitem__}
    replace(monkeypatch, emrlab.nodes, "artifacts", artifacts)
    for name, thing in {
        "catalogue": lambda: known,
        "resolve": resolve,
        "prepare": lambda names, progress=None: content.prepared.extend(names),
        "archives": lambda: ["archive"],
    }.items():
        monkeypatch.setattr(emrlab.applications, name, thing, raising=False)
    return content
