"""Parameters against botocore's model."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from emrlab.region import models
from emrlab.region.validate import Reader, WrongType

STEP = {"Name": "one", "HadoopJarStep": {"Jar": "command-runner.jar"}}


def read(operation: str, value: Any, service: str = "emr", strict: bool = True) -> tuple[Any, str]:
    reader = Reader(strict)
    found = reader.read(models.operation(service, operation).input_shape, value)
    return found, reader.report()


def test_a_request_as_boto3_writes_it_is_read_unchanged():
    asked = {"JobFlowId": "j-1", "Steps": [{**STEP, "ActionOnFailure": "CONTINUE"}]}
    assert read("AddJobFlowSteps", asked) == (asked, "")


def test_seconds_and_iso_times_become_the_same_moment():
    moment = datetime(2026, 1, 2, tzinfo=UTC)
    assert read("ListClusters", {"CreatedAfter": moment.timestamp()})[0] == {"CreatedAfter": moment}
    assert read("ListClusters", {"CreatedAfter": "2026-01-02T00:00:00Z"})[0] == {"CreatedAfter": moment}


def test_blobs_become_bytes():
    found, _ = read("Encrypt", {"KeyId": "k", "Plaintext": "aGk="}, "kms")
    assert found["Plaintext"] == b"hi"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "Value null at 'jobFlowId' failed to satisfy constraint: Member must not be null"),
        ({"JobFlowId": "j-1", "Steps": [{"Name": "one"}]}, "at 'steps.1.member.hadoopJarStep'"),
        (
            {"JobFlowId": "j-1", "Steps": [{**STEP, "ActionOnFailure": "PANIC"}]},
            "Value 'PANIC' at 'steps.1.member.actionOnFailure' failed to satisfy constraint: "
            "Member must satisfy enum value set: [TERMINATE_JOB_FLOW",
        ),
        ({"JobFlowId": "j-1", "Steps": [STEP], "ExecutionRoleArn": "a"}, "length greater than or equal to 20"),
        ({"JobFlowId": "j-1", "Steps": [STEP], "ExecutionRoleArn": "a" * 2049}, "length less than or equal to 2048"),
    ],
)
def test_a_broken_constraint_is_worded_as_aws_does(asked, said):
    _, report = read("AddJobFlowSteps", asked)
    assert said in report


def test_all_broken_constraints_are_counted():
    _, report = read("AddJobFlowSteps", {})
    assert report.startswith("2 validation errors detected: ")


@pytest.mark.parametrize(
    ("operation", "asked"),
    [
        ("AddJobFlowSteps", {"JobFlowId": 7}),
        ("AddJobFlowSteps", {"JobFlowId": "j", "Steps": {}}),
        ("AddJobFlowSteps", {"JobFlowId": "j", "Steps": ["one"]}),
        ("ListClusters", {"CreatedAfter": "yesterday"}),
        ("ListClusters", {"CreatedAfter": True}),
        ("ListClusters", {"CreatedAfter": 1e300}),
        ("ListReleaseLabels", {"MaxResults": "ten"}),
        ("ListReleaseLabels", {"MaxResults": 1.5}),
        ("ListReleaseLabels", {"MaxResults": float("nan")}),
        ("ListReleaseLabels", {"MaxResults": float("inf")}),
        ("ListReleaseLabels", {"MaxResults": 2**31}),
        ("SetTerminationProtection", {"JobFlowIds": ["j"], "TerminationProtected": "yes"}),
        ("AddJobFlowSteps", []),
        ("AddJobFlowSteps", "text"),
    ],
)
def test_a_wrong_type_is_not_converted(operation, asked):
    with pytest.raises(WrongType):
        read(operation, asked)


def test_a_borrowed_service_checks_its_own_enums():
    bucket = {"Bucket": "b", "ACL": "nonsense"}
    assert read("CreateBucket", bucket, "s3", strict=False)[1] == ""
    assert "enum value set" in read("CreateBucket", bucket, "s3", strict=True)[1]


def test_members_the_model_does_not_know_are_dropped_as_aws_does():
    assert read("DescribeCluster", {"ClusterId": "j-1", "Colour": "blue"}) == ({"ClusterId": "j-1"}, "")
