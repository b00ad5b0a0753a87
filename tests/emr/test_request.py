"""What RunJobFlow takes and refuses."""

from __future__ import annotations

import pytest

from emrlab.emr.requests import request
from emrlab.errors import AwsError

from .conftest import ACCOUNT, step, wanted


def made(**params):
    return request.cluster(wanted(**params), ACCOUNT, "us-east-1")


def groups(*wanted_groups, **more):
    fields = ("InstanceRole", "InstanceType", "InstanceCount")
    listed = [dict(zip(fields, one, strict=True)) for one in wanted_groups]
    return {
        "Instances": {
            "InstanceCount": 0,
            "MasterInstanceType": "",
            "SlaveInstanceType": "",
            "InstanceGroups": listed,
            **more,
        }
    }


def test_a_count_and_types_become_a_master_and_a_core_group():
    cluster, (master, core), steps = made(Instances={"InstanceCount": 3, "SlaveInstanceType": "r5.xlarge"})
    assert cluster.state == "STARTING"
    assert (master.role, master.instance_type, master.requested) == ("MASTER", "m5.xlarge", 1)
    assert (core.role, core.instance_type, core.requested) == ("CORE", "r5.xlarge", 2)
    assert steps == []


def test_one_instance_is_a_master_that_does_it_all():
    _, found, _ = made(Instances={"InstanceCount": 1})
    assert [one.role for one in found] == ["MASTER"]


def test_groups_are_taken_as_they_are_named():
    named = groups(
        ("MASTER", "m5.xlarge", 1), ("CORE", "c5.xlarge", 2), ("TASK", "r5.xlarge", 0), ("TASK", "c5.xlarge", 1)
    )
    _, found, _ = made(**named)
    assert [(one.role, one.requested) for one in found] == [("MASTER", 1), ("CORE", 2), ("TASK", 0), ("TASK", 1)]


REFUSED = {
    "unknown release": (wanted(ReleaseLabel="emr-9.9.9"), "release label is invalid: emr-9.9.9. emrlab has: emr-7"),
    "no release": (wanted(ReleaseLabel=""), "ReleaseLabel is missing"),
    "an AMI version": (wanted(AmiVersion="3.11"), "AmiVersion .* is not emulated"),
    "unknown application": (wanted(Applications=[{"Name": "Excel"}]), "Excel is not supported .* Hadoop, Spark"),
    "an application that only EMR has": (
        wanted(Applications=[{"Name": "hive"}]),
        "Hive, which EMR has, is not emulated",
    ),
    "unknown type": (
        wanted(Instances={"MasterInstanceType": "m5.huge"}),
        "'m5.huge' is not supported. Some .*m5.xlarge",
    ),
    "unknown worker type": (wanted(Instances={"SlaveInstanceType": "q1.big"}), "'q1.big' is not supported"),
    "no instances": (wanted(Instances={"InstanceCount": 0}), "InstanceGroups, or InstanceCount"),
    "too many": (wanted(Instances={"InstanceCount": 500}), "more than 100 instances"),
    "no core nodes in a core group": (
        wanted(**groups(("MASTER", "m5.xlarge", 1), ("CORE", "m5.xlarge", 0))),
        "at least 1",
    ),
    "two masters": (wanted(**groups(("MASTER", "m5.xlarge", 2))), "has 1 instance"),
    "three masters": (wanted(**groups(("MASTER", "m5.xlarge", 3))), "three master nodes, .* not emulated"),
    "no master": (wanted(**groups(("CORE", "m5.xlarge", 2))), "exactly one master"),
    "two core groups": (
        wanted(**groups(("MASTER", "m5.xlarge", 1), ("CORE", "m5.xlarge", 1), ("CORE", "m5.xlarge", 1))),
        "at most one core",
    ),
    "tasks without core": (wanted(**groups(("MASTER", "m5.xlarge", 1), ("TASK", "m5.xlarge", 1))), "needs a core"),
    "groups and a count": (wanted(**groups(("MASTER", "m5.xlarge", 1), InstanceCount=3)), "exclude each other"),
    "fleets": (
        wanted(Instances={"InstanceFleets": [{"InstanceFleetType": "MASTER"}]}),
        "InstanceFleets and MasterInstanceType exclude each other",
    ),
    "scaling": (
        wanted(ManagedScalingPolicy={"ComputeLimits": {}}),
        "Invalid configuration for managed scaling. ComputeLimits is missing",
    ),
    "a local log folder": (wanted(LogUri="/var/log"), "LogUri '/var/log' is not valid: it is a place in S3"),
    "an unknown classification": (
        wanted(Configurations=[{"Classification": "coresite", "Properties": {}}]),
        "'coresite' belongs to none .* core-site",
    ),
    "a classification of an absent application": (
        wanted(Applications=[{"Name": "Hadoop"}], Configurations=[{"Classification": "spark-defaults"}]),
        "'spark-defaults' belongs to none of the applications Hadoop",
    ),
    "nonsense inside a classification": (
        wanted(Configurations=[{"Classification": "core-site", "Configurations": [{"Classification": "export"}]}]),
        "'export' cannot stand inside 'core-site'",
    ),
    "concurrency": (wanted(StepConcurrencyLevel=300), "from 1 to 256"),
    "an empty jar": (wanted(Steps=[{"Name": "a", "HadoopJarStep": {"Jar": " "}}]), "Jar is empty"),
    "a failing action beside others": (
        wanted(StepConcurrencyLevel=2, Steps=[step("a", "true", action="CANCEL_AND_WAIT")]),
        "CANCEL_AND_WAIT is not valid while StepConcurrencyLevel is 2",
    ),
    "too many steps": (wanted(Steps=[step("a", "true")] * 257), "Maximum number of active steps"),
    "a reserved tag": (wanted(Tags=[{"Key": "aws:x", "Value": "1"}]), "reserved"),
    "a role of its steps": (
        wanted(StepExecutionRoleArn="arn:aws:iam::1:role/a"),
        "StepExecutionRoleArn.* not emulated",
    ),
    "logs elsewhere": (
        wanted(MonitoringConfiguration={"S3LoggingConfiguration": {}}),
        "MonitoringConfiguration.* not em",
    ),
    "more information": (wanted(AdditionalInfo="{}"), "AdditionalInfo, which EMR has, is not emulated"),
    "a long tag key": (wanted(Tags=[{"Key": "x" * 129, "Value": "1"}]), "key may have 128 characters"),
    "a long tag value": (wanted(Tags=[{"Key": "x", "Value": "1" * 257}]), "its value 256"),
    "a tag without a key": (wanted(Tags=[{"Value": "1"}]), "needs a Key"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_emr_does_not_take_is_refused_in_words_that_help(name):
    params, said = REFUSED[name]
    with pytest.raises(AwsError, match=said) as refused:
        request.cluster(params, ACCOUNT, "us-east-1")
    assert refused.value.code == "ValidationException"
    assert refused.value.status == 400


def test_a_group_takes_classifications_of_its_own():
    own = [{"Classification": "yarn-site", "Properties": {"a": "b"}}]
    _, (master, _), _ = made(**groups(("MASTER", "m5.xlarge", 1), ("CORE", "m5.xlarge", 1)))
    assert master.configurations == []
    listed = groups(("MASTER", "m5.xlarge", 1))
    listed["Instances"]["InstanceGroups"][0]["Configurations"] = own
    assert made(**listed)[1][0].configurations == own


def test_names_of_applications_are_taken_in_any_case():
    cluster, _, _ = made(Applications=[{"Name": "spark"}, {"Name": "HADOOP"}, {"Name": "Spark"}])
    assert cluster.applications == ["Spark", "Hadoop"]


def test_a_step_keeps_its_words():
    _, _, (found,) = made(Steps=[step("a", "echo", "b c", action="TERMINATE_CLUSTER")])
    assert (found.state, found.arguments, found.action_on_failure) == ("PENDING", ["echo", "b c"], "TERMINATE_CLUSTER")


def test_zones_are_told_as_they_were_asked_for():
    cluster, _, _ = made(Instances={"Placement": {"AvailabilityZones": ["us-east-1c", "us-east-1d"]}})
    assert cluster.ec2["Ec2AvailabilityZone"] == "us-east-1c"
    assert cluster.ec2["RequestedEc2AvailabilityZones"] == ["us-east-1c", "us-east-1d"]
    assert made()[0].ec2["Ec2AvailabilityZone"] == "us-east-1a"
