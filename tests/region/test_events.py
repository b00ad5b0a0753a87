"""What happens to a cluster reaches the targets of EventBridge's rules."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from emrlab.region import control

pytestmark = pytest.mark.region
Aws = Callable[..., Any]


@pytest.fixture(scope="module", autouse=True)
def no_network() -> Iterator[None]:
    """Hadoop is not here and cannot be had: a cluster ends soon, in STARTING."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
            patch.setenv(name, "http://127.0.0.1:9")
        yield


def queue_of(aws: Aws, name: str, pattern: dict[str, Any]) -> str:
    """A queue that gets the events of ``pattern``."""
    sqs, events = aws("sqs"), aws("events")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=name, Targets=[{"Id": "1", "Arn": arn}])
    return str(url)


def received(aws: Aws, url: str, enough: Callable[[list[dict[str, Any]]], bool], seconds: float = 60) -> list[Any]:
    """The queue's events, as soon as they are ``enough``."""
    sqs, found = aws("sqs"), list[dict[str, Any]]()
    deadline = time.monotonic() + seconds
    while not enough(found):
        assert time.monotonic() < deadline, found
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        for one in answer.get("Messages", []):
            found.append(json.loads(one["Body"]))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
    return found


def states(found: list[dict[str, Any]], kind: str) -> list[str]:
    return [one["detail"]["state"] for one in found if one["detail-type"] == kind]


def test_a_rule_gives_a_clusters_life_to_a_queue(region: control.Region, aws: Aws) -> None:
    url = queue_of(aws, "life", {"source": ["aws.emr", "aws.ec2"]})
    step = {"Name": "CustomJAR", "HadoopJarStep": {"Jar": "command-runner.jar", "Args": ["true"]}}
    cluster = aws("emr").run_job_flow(
        Name="Development Cluster",
        ReleaseLabel="emr-7.9.0",
        Instances={"InstanceCount": 2, "MasterInstanceType": "m5.xlarge", "SlaveInstanceType": "m5.xlarge"},
        Steps=[step],
        JobFlowRole="EMR_EC2_DefaultRole",
        ServiceRole="EMR_DefaultRole",
    )["JobFlowId"]
    over = "TERMINATED_WITH_ERRORS"
    found = received(aws, url, lambda some: over in states(some, "EMR Cluster State Change"))
    assert states(found, "EMR Cluster State Change") == ["STARTING", over]
    assert states(found, "EMR Step Status Change") == ["PENDING", "CANCELLED"]
    ec2 = states(found, "EC2 Instance State-change Notification")
    assert sorted(ec2) == sorted(["pending", "shutting-down", "terminated"] * 2)
    first = next(one for one in found if one["detail-type"] == "EMR Cluster State Change")
    assert {name: first[name] for name in ("version", "source", "account", "region", "resources")} == {
        "version": "0",
        "source": "aws.emr",
        "account": region.account,
        "region": "us-east-1",
        "resources": [],
    }
    assert first["detail"]["clusterId"] == cluster
    assert first["detail"]["message"].startswith(
        f"Amazon EMR cluster {cluster} (Development Cluster) was requested at "
    )


def test_a_rule_hears_of_its_own_account_alone(aws: Aws) -> None:
    url = queue_of(aws, "others", {"source": ["aws.emr"]})
    for key in ("210987654321", "test"):
        made = aws("emr", aws_access_key_id=key, aws_secret_access_key="test").run_job_flow(
            Name=key,
            ReleaseLabel="emr-7.9.0",
            Instances={"InstanceCount": 1, "MasterInstanceType": "m5.xlarge"},
            JobFlowRole="EMR_EC2_DefaultRole",
            ServiceRole="EMR_DefaultRole",
        )
    found = received(aws, url, lambda some: "TERMINATED_WITH_ERRORS" in states(some, "EMR Cluster State Change"))
    assert {one["detail"]["clusterId"] for one in found} == {made["JobFlowId"]}


def test_a_client_may_not_speak_as_emr(aws: Aws) -> None:
    answer = aws("events").put_events(
        Entries=[{"Source": "aws.emr", "DetailType": "EMR Cluster State Change", "Detail": "{}"}]
    )
    assert answer["FailedEntryCount"] == 1
    assert answer["Entries"][0]["ErrorCode"] == "NotAuthorizedForSourceException"
