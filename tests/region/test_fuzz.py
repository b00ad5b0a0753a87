"""10,000 requests to EMR that the model allows, nearly allows, or never heard of; eight at a time, always the same.

EMR is the real one behind the real gateway, without sockets, drivers and workers: clusters stay in the state they are
given. Other services know one bucket, any network, and nothing else.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import logging
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from emrlab.emr.beside import Beside
from emrlab.emr.records import Cluster, Fleet, Group, Instance, Step
from emrlab.emr.service import EmrService
from emrlab.home import Home
from emrlab.region import models
from tests.emr.wire import Wire

from .test_emr_requests import NUMBERS, OPERATIONS, WORDS

PREFIXES = {"StudioId": "es-", "PersistentAppUIId": "p-", "NotebookExecutionId": "ex-"}
MADE = ("StudioId", "PersistentAppUIId", "SessionId", "NotebookExecutionId", "Name")
REQUESTS, AT_A_TIME = 10_000, 8
ACCOUNT = "123456789012"
LONG = 60.0  # seconds that all of it may take on a slow machine
ODD: list[Any] = [None, True, 0, -1, 1.5, 2**31, 2**63, 1e308, float("nan"), float("inf"), "", "x", [], {}, [None]]
ODD += [{"": ""}, [[[]]], "\x00", "\ud800", "é" * 300, "a" * 20_000, "<>&'\"", "${jndi:x}", "../..", "1e9"]
MARKERS = ["", "x", "ZW1ybGFiOjA=", "ZW1ybGFiOi0x", "ZW1ybGFiOmFiYw==", "ZW1ybGFiOjk5OTk5OTk5OTk5OTk5OTk5OTk5OQ=="]
ARNS = ["arn:aws:iam::123456789012:role/a", f"arn:aws:elasticmapreduce:us-east-1:{ACCOUNT}:cluster/j-1"]
TEXTS = [*WORDS, *MARKERS, *ARNS, "s3://bucket/a", "emr-7.9.0", "{}", '{"a": 1}', "aws:x", "😀", "TASK"]
GROUPS = {"InstanceGroups": [{"InstanceRole": "MASTER", "InstanceType": "m5.xlarge", "InstanceCount": 1}]}
# What a member of this name or type is likely to be, so that requests come further than to the first check.
LIKELY: dict[str, list[Any]] = {
    "ReleaseLabel": ["emr-7.9.0"],
    "LogUri": ["s3://bucket/logs"],
    "Instances": [GROUPS, {"InstanceCount": 2, "MasterInstanceType": "m5.xlarge", "KeepJobFlowAliveWhenNoSteps": True}],
    "InstanceGroupConfigList": [[{"InstanceRole": "TASK", "InstanceType": "m5.xlarge", "InstanceCount": 1}]],
    "InstanceFleetConfig": [
        {"InstanceFleetType": "TASK", "TargetSpotCapacity": 1, "InstanceTypeConfigs": [{"InstanceType": "m5.xlarge"}]}
    ],
    "ComputeLimits": [{"UnitType": "Instances", "MinimumCapacityUnits": 1, "MaximumCapacityUnits": 3}],
    "AuthMode": ["SSO"],
    "UserRole": ["a"],
    "IdentityId": [""],
    "IdentityName": ["ann", "bob"],
    "Applications": [[{"Name": "Spark"}], []],
    "Configurations": [[], [{"Classification": "yarn-site", "Properties": {"a": "b"}}]],
    "OnClusterAppUIType": ["ResourceManager", "SparkHistoryServer"],
    "DryRun": [True],
    "InstanceType": ["m5.xlarge", "r5.2xlarge"],
    "InstanceTypeConfigs": [[{"InstanceType": "m5.xlarge"}]],
    "Jar": ["command-runner.jar"],
    "Marker": MARKERS,
    "NextToken": MARKERS,
    "Tags": [[], [{"Key": "a", "Value": "b"}]],
    "SecurityConfiguration": ["{}", '{"EncryptionConfiguration": {"EnableAtRestEncryption": false}}', "mine"],
    "DefaultS3Location": ["s3://bucket/studio"],
    "VpcId": ["vpc-1"],
    "SessionPolicyArn": ["arn:aws:iam::123456789012:policy/a"],
    "NotebookS3Location": [{"Bucket": "bucket", "Key": "a.ipynb"}],
}


class Elsewhere:
    """Any AWS service: it has the bucket ``bucket``, and of nothing else what it is asked for."""

    def __getattr__(self, operation: str) -> Any:
        def call(*_: Any, **params: Any) -> dict[str, Any]:
            if operation == "head_bucket" and params.get("Bucket") == "bucket":
                return {}
            if operation == "describe_vpcs":
                return {"Vpcs": [{"VpcId": one} for one in params["VpcIds"]]}
            if operation == "describe_subnets":
                return {"Subnets": [{"SubnetId": one, "VpcId": "vpc-1"} for one in params["SubnetIds"]]}
            if operation == "describe_security_groups":
                return {"SecurityGroups": [{"GroupId": one, "VpcId": "vpc-1"} for one in params["GroupIds"]]}
            raise ClientError({"Error": {"Code": "NoSuchEntity", "Message": "There is no such thing."}}, operation)

        return call


@pytest.fixture
def emr(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmrService]:
    monkeypatch.setattr(boto3.session.Session, "client", lambda *_, **__: Elsewhere())
    monkeypatch.setattr(EmrService, "launch", lambda self, cluster: None)
    monkeypatch.setattr(EmrService, "settle", lambda self: None)
    monkeypatch.setattr(Beside, "start", lambda self, worker: None)
    found = EmrService(Home(tmp_path.resolve()), "http://127.0.0.1:2", ACCOUNT)
    yield found
    found.stop()


def some_clusters(emr: EmrService, number: int) -> dict[str, list[Any]]:
    """One of groups, one of fleets, one that is over: members that may name them, and their ids."""
    fields: dict[str, Any] = {"account": ACCOUNT, "region": "us-east-1", "name": "c", "release": "emr-7.9.0"}
    fields |= {"applications": ["Hadoop", "Spark"], "keep_alive": True, "protected": False}
    fields["settings"] = {"AutoScalingRole": "EMR_AutoScaling_DefaultRole"}
    groups, fleets, gone = (f"j-{number}{letter}" for letter in "GFT")
    history = emr.history
    history.add(Cluster(groups, groups, "WAITING", **fields), Cluster(gone, gone, "TERMINATED", **fields))
    history.add(Cluster(fleets, fleets, "RUNNING", **fields, collection="INSTANCE_FLEET"))
    for at, role in enumerate(("MASTER", "CORE")):
        group, fleet = f"ig-{number}-{at}", f"if-{number}-{at}"
        types = [{"InstanceType": "m5.xlarge", "WeightedCapacity": 1}]
        history.add(Group(group, groups, "RUNNING", role, role, "m5.xlarge", 1))
        history.add(Fleet(fleet, fleets, "RUNNING", role, role, 1, 0, types))
        for cluster, one in ((groups, group), (fleets, fleet)):
            history.add(Instance(f"ci-{one}", cluster, "RUNNING", one, f"i-{one}", "m5.xlarge", role=role))
    steps = [f"s-{number}-{at}" for at in range(3)]
    for step, state in zip(steps, ("PENDING", "RUNNING", "FAILED"), strict=True):
        history.add(Step(step, groups, state, "n", "x.jar"))
    ids = [groups, groups, fleets, gone]
    return {
        **dict.fromkeys(("ClusterId", "JobFlowId", "ResourceId", "Id"), ids),
        **dict.fromkeys(("JobFlowIds",), [[one] for one in ids] + [[groups, fleets]]),
        "InstanceGroupId": [f"ig-{number}-{at}" for at in range(3)],
        "InstanceFleetId": [f"if-{number}-{at}" for at in range(3)],
        "StepId": steps,
        "StepIds": [[one] for one in steps] + [steps],
        "TargetResourceArn": [f"arn:aws:elasticmapreduce:us-east-1:{ACCOUNT}:cluster/{one}" for one in ids],
        "EC2InstanceIdsToTerminate": [[], [f"i-ig-{number}-1"]],
    }


class Dice(random.Random):
    """What is asked next."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.likely = dict(LIKELY)
        self.appetite = 0.0  # for members that need not be given
        self.living: list[str] = []  # what Create… operations have made

    def value(self, shape: Any, depth: int = 0) -> Any:
        """A value that ``shape`` allows, near to what there is."""
        kind = shape.type_name
        if kind == "structure":
            return self.structure(shape, depth)
        if kind in ("list", "map"):
            count = self.choice([0, 1, 1, 2]) if depth < 6 else 0
            if kind == "list":
                return [self.value(shape.member, depth + 1) for _ in range(count)]
            return {self.choice(TEXTS): self.value(shape.value, depth + 1) for _ in range(count)}
        if kind == "string":
            return self.choice(shape.enum) if shape.enum else self.choice(TEXTS)
        if kind in ("integer", "long"):
            return self.choice(NUMBERS)
        return {"boolean": self.random() < 0.5, "timestamp": self.choice([0, 1.5, time.time(), 4e9])}.get(kind, 1.5)

    def structure(self, shape: Any, depth: int) -> dict[str, Any]:
        found = {}
        for name, member in shape.members.items():
            if name not in shape.required_members and (depth >= 4 or self.random() > self.appetite):
                continue
            known = self.likely.get(member.name) or self.likely.get(name)
            if name in ("StudioId", "PersistentAppUIId", "SessionId", "NotebookExecutionId", "ResourceId", "Name"):
                mine = [one for one in self.living if one.startswith(PREFIXES.get(name, ""))]
                known = mine[-20:] or known
            found[name] = self.choice(known) if known and self.random() < 0.85 else self.value(member, depth + 1)
        return found

    def damaged(self, value: Any) -> Any:
        """The value with something odd somewhere in it."""
        if self.random() < 0.3 or not isinstance(value, dict | list) or not value:
            return self.choice(ODD)
        if isinstance(value, list):
            at = self.randrange(len(value))
            return [self.damaged(one) if number == at else one for number, one in enumerate(value)]
        name = self.choice(sorted(value))
        if self.random() < 0.2:
            return {other: one for other, one in value.items() if other != name} | {"Nonsense": self.choice(ODD)}
        return {**value, name: self.damaged(value[name])}

    def bytes_of(self, text: bytes) -> bytes:
        """The text with bytes flipped, cut, doubled."""
        found = bytearray(text or b"{}")
        for _ in range(self.randrange(1, 6)):
            at = self.randrange(len(found) + 1)
            found[at : at + self.randrange(4)] = self.randbytes(self.randrange(4))
        return bytes(found)

    def request(self) -> tuple[str, str, bytes, dict[str, str]]:
        """Method, target, body, further headers."""
        operation = self.choice(OPERATIONS)
        shape = models.operation("emr", operation).input_shape
        self.appetite = self.choice([0.0, 0.15, 0.4])
        asked = self.value(shape) if shape else {}
        kind = self.random()
        if operation == "RunJobFlow":
            asked.setdefault("ReleaseLabel", "emr-7.9.0")
        if operation in ("CreateStudioSessionMapping", "GetStudioSessionMapping"):
            asked.setdefault("IdentityName", "ann")
        if kind > 0.6:
            asked = self.damaged(asked)
        body = json.dumps(asked).encode()
        method, target, headers = "POST", f"ElasticMapReduce.{operation}", {}
        if kind > 0.85:
            body = self.choice([self.bytes_of(body), self.randbytes(self.randrange(200)), b"[" * 5000, b'{"a":' * 2000])
            if self.random() < 0.3:
                target = self.choice(["", "x", "ElasticMapReduce.", f"Other.{operation}", target.lower(), "é"])
            if self.random() < 0.3:
                headers["content_type"] = self.choice(["", "text/plain", "application/x-www-form-urlencoded", "\x7f"])
            if self.random() < 0.2:
                headers["content_encoding"] = "gzip"
            if self.random() < 0.2:
                headers["smithy_protocol"] = "rpc-v2-cbor"
            if self.random() < 0.1:
                method = self.choice(["GET", "PUT", "HEAD", "DELETE", "X"])
        return method, target, body, headers


def held() -> tuple[int, int]:
    """Threads and open files of this process. The gateway's workers come one by one, up to their number."""
    gc.collect()
    threads = [one for one in threading.enumerate() if not one.name.startswith("emr_")]
    return len(threads), len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


@pytest.mark.timeout(180)
def test_nothing_that_is_asked_makes_emr_fail_hang_or_leak(emr, caplog):
    dice, wire, failed, answered = Dice(4), Wire(emr), [], Counter()

    async def ask(request: tuple[str, str, bytes, dict[str, str]]) -> None:
        method, target, body, headers = request
        status, answer = await wire.send(target, body, method, **headers)
        answered[status] += 1
        if status >= 500 or (status >= 400 and method != "HEAD" and not answer):
            failed.append((target, body[:2000], status, answer))
        elif status == 200:
            done[target] += 1
            told = json.loads(answer or b"{}") if target.startswith("ElasticMapReduce.") and b"{" in answer else {}
            dice.living += [str(told[name]) for name in MADE if name in told]

    async def ask_all(count: int) -> None:
        for turn in range(count // AT_A_TIME):
            if turn % 25 == 0:
                dice.likely |= some_clusters(emr, next(numbers))
            await asyncio.gather(*(ask(dice.request()) for _ in range(AT_A_TIME)))

    done: Counter[str] = Counter()
    numbers = itertools.count()
    begun = time.monotonic()
    with caplog.at_level(logging.ERROR):
        wire.runner.run(ask_all(REQUESTS // 10))
        before = held()
        wire.runner.run(ask_all(REQUESTS - REQUESTS // 10))
    assert failed == [], caplog.text[-4000:]
    assert held() == before
    assert time.monotonic() - begun < LONG
    assert sum(answered.values()) == REQUESTS
    assert answered[200] > REQUESTS / 20
    assert len(done) > 40
    status, answer = wire.ask("ListClusters", {})
    assert (status, len(answer["Clusters"]) >= 3) == (200, True)
    wire.close()
