"""An EMR service in this process. Its nodes run real processes; of the engines only the daemons are left out."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from emrlab.applications import hadoop
from emrlab.context import RequestContext
from emrlab.emr import aws, driver, s3, service
from emrlab.emr.access import roles
from emrlab.emr.operations import clusters
from emrlab.emr.s3 import S3Error
from emrlab.emr.scaling import figures, mapreduce, watch
from emrlab.emr.service import EmrService
from emrlab.emr.sizing import capacity, reconfiguration, resize
from emrlab.home import Home
from emrlab.processes import end, owned

from .identities import Identities
from .stand_ins import CloudWatch, Engines

ACCOUNT = "123456789012"
Ask = Callable[..., dict[str, Any]]


class Bucket:
    """S3 in memory: ``s3://bucket/…`` is there, other buckets are not."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def has_bucket(self, uri: str) -> bool:
        return s3.split(uri)[0] == "bucket"

    def download(self, uri: str, file: Path) -> None:
        if uri not in self.objects:
            raise S3Error(f"{uri}: Not Found")
        file.write_bytes(self.objects[uri])

    def exists(self, uri: str) -> bool:
        return uri in self.objects

    def put(self, uri: str, content: bytes) -> None:
        self.objects[uri] = content

    def text(self, ending: str) -> str:
        """The one archived log whose name ends so."""
        (found,) = [content for uri, content in self.objects.items() if uri.endswith(f"{ending}.gz")]
        return gzip.decompress(found).decode()


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Bucket:
    found = Bucket()
    for module in (driver, clusters):
        monkeypatch.setattr(module, "S3", lambda *_: found)
    return found


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Home]:
    found = Home(tmp_path.resolve())
    yield found
    end(owned(found))


@pytest.fixture
def emr(place: Home, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmrService]:
    """The service, without the engines' daemons: a cluster is up as soon as its nodes are made."""
    monkeypatch.setattr(driver, "start_up", lambda *_, **__: None)
    monkeypatch.setattr(resize, "start_up", lambda *_, **__: None)
    monkeypatch.setattr(resize, "drain", lambda *_, **__: True)
    monkeypatch.setattr(resize, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(capacity, "yarn_nodes", lambda site: {})
    monkeypatch.setattr(capacity, "masters_of_applications", lambda site: set())
    monkeypatch.setattr(reconfiguration, "reconfigure", lambda *_, **__: None)
    monkeypatch.setattr(driver, "prepare", lambda *_: None)
    monkeypatch.setattr(driver.Driver, "fetch", lambda self: None)
    monkeypatch.setattr(service.EmrService, "settle", lambda self: None)
    monkeypatch.setattr(driver, "LOOK_SECONDS", 0.1)
    found = EmrService(place, "http://127.0.0.1:1", ACCOUNT)
    yield found
    found.stop()
    assert list(owned(place)) == []


def context(account: str = ACCOUNT, region: str = "us-east-1") -> RequestContext:
    return RequestContext(account, region, "test", "request-1")


@pytest.fixture
def ask(emr: EmrService) -> Ask:
    """``ask("ListClusters", ClusterStates=[…])``"""

    def ask(operation: str, account: str = ACCOUNT, **params: Any) -> dict[str, Any]:
        return emr.call(operation, params, context(account))

    return ask


def wanted(**more: Any) -> dict[str, Any]:
    """Parameters of a small cluster."""
    instances = {"InstanceCount": 2, "MasterInstanceType": "m5.xlarge", "SlaveInstanceType": "m5.xlarge"}
    instances |= {"KeepJobFlowAliveWhenNoSteps": True, **more.pop("Instances", {})}
    return {"Name": "test", "ReleaseLabel": "emr-7.9.0", "LogUri": "s3://bucket/logs", "Instances": instances, **more}


def step(name: str, *command: str, action: str = "CONTINUE") -> dict[str, Any]:
    work = {"Jar": "command-runner.jar", "Args": list(command)}
    return {"Name": name, "ActionOnFailure": action, "HadoopJarStep": work}


class Life:
    """A cluster and what it becomes."""

    def __init__(self, ask: Ask, cluster_id: str) -> None:
        self.ask, self.id = ask, cluster_id

    @property
    def told(self) -> dict[str, Any]:
        return self.ask("DescribeCluster", ClusterId=self.id)["Cluster"]

    @property
    def state(self) -> str:
        return self.told["Status"]["State"]

    @property
    def reason(self) -> dict[str, str]:
        return self.told["Status"]["StateChangeReason"]

    def steps(self) -> list[dict[str, Any]]:
        return self.ask("ListSteps", ClusterId=self.id)["Steps"][::-1]

    def step_states(self) -> list[str]:
        return [one["Status"]["State"] for one in self.steps()]

    def add(self, *steps: dict[str, Any]) -> list[str]:
        return self.ask("AddJobFlowSteps", JobFlowId=self.id, Steps=list(steps))["StepIds"]

    def until(self, condition: Callable[[Life], bool], seconds: float = 20) -> Life:
        deadline = time.monotonic() + seconds
        while not condition(self):
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.state} {self.reason}, steps {self.step_states()}")
            time.sleep(0.02)
        return self

    def until_state(self, *states: str) -> Life:
        return self.until(lambda life: life.state in states)


@pytest.fixture
def launch(ask: Ask) -> Callable[..., Life]:
    def launch(**params: Any) -> Life:
        return Life(ask, ask("RunJobFlow", **wanted(**params))["JobFlowId"])

    return launch


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> Engines:
    """YARN and HDFS of every cluster answer what was recorded on a real one."""
    found = Engines()
    for module in (figures, mapreduce, watch, hadoop):
        monkeypatch.setattr(module, "fetched", found.fetched)
    return found


@pytest.fixture
def cloudwatch(monkeypatch: pytest.MonkeyPatch) -> CloudWatch:
    found = CloudWatch()
    monkeypatch.setattr(aws, "client", lambda *_: found)
    return found


@pytest.fixture
def identities(monkeypatch: pytest.MonkeyPatch) -> Identities:
    found = Identities()
    monkeypatch.setattr(roles, "client", found.client)
    return found
