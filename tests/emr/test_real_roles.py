"""A real cluster's nodes act as the role in their instance profile: engines, commands and containers alike."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]
ACCOUNT = "123456789012"
JOB = """
import boto3
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
who = lambda _: [boto3.client("sts").get_caller_identity()["Arn"]]
print("driver", who(0)[0])
print("executor", spark.sparkContext.parallelize([1], 1).mapPartitions(who).collect()[0])
print("lines", spark.read.text("s3://roles/in/open.txt").count())
spark.read.text("s3://roles/in/open.txt").write.text("s3://roles/out")
"""


@pytest.fixture(scope="module")
def s3(aws):
    found = aws("s3")
    found.create_bucket(Bucket="roles")
    for name in ("open", "closed"):
        found.put_object(Bucket="roles", Key=f"in/{name}.txt", Body=b"one\ntwo\n")
    found.put_object(Bucket="roles", Key="job.py", Body=JOB.encode())
    return found


@pytest.fixture(scope="module")
def role(aws):
    """A role for nodes that may read one object and write below one prefix."""
    iam = aws("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    iam.create_role(RoleName="narrow", AssumeRolePolicyDocument=document(trust))
    bucket = "arn:aws:s3:::roles"
    rules = (
        {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": bucket},
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": [f"{bucket}/in/open.txt", f"{bucket}/job.py"]},
        {"Effect": "Allow", "Action": "s3:*", "Resource": [f"{bucket}/out", f"{bucket}/out/*"]},
    )
    iam.put_role_policy(RoleName="narrow", PolicyName="own", PolicyDocument=document(*rules))
    iam.create_instance_profile(InstanceProfileName="narrow")
    iam.add_role_to_instance_profile(InstanceProfileName="narrow", RoleName="narrow")
    return "narrow"


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def step(name: str, *command: str) -> dict[str, Any]:
    work = {"Jar": "command-runner.jar", "Args": list(command)}
    return {"Name": name, "ActionOnFailure": "CONTINUE", "HadoopJarStep": work}


@pytest.fixture(scope="module")
def done(aws, s3, role, home):
    """All steps run, on a cluster of one node: its master's id, and by step name its state and what it said."""
    emr = aws("emr")
    cluster_id = emr.run_job_flow(
        Name="roles",
        ReleaseLabel="emr-7.9.0",
        Applications=[{"Name": "Hadoop"}, {"Name": "Spark"}],
        Instances={"InstanceCount": 1, "MasterInstanceType": "m5.xlarge", "KeepJobFlowAliveWhenNoSteps": True},
        ServiceRole="EMR_DefaultRole",
        JobFlowRole=role,
        Steps=[
            step("who", "aws", "sts", "get-caller-identity", "--output", "text", "--query", "Arn"),
            step("open", "hadoop", "fs", "-cat", "s3://roles/in/open.txt"),
            step("closed", "hadoop", "fs", "-cat", "s3://roles/in/closed.txt"),
            step("cli", "aws", "s3", "cp", "s3://roles/in/closed.txt", "-"),
            # On a cluster of one node driver and executor must fit beside each other.
            step("job", "spark-submit", "--deploy-mode", "cluster", "--executor-memory", "1g", "s3://roles/job.py"),
        ],
    )["JobFlowId"]
    emr.get_waiter("cluster_running").wait(ClusterId=cluster_id, WaiterConfig={"Delay": 1, "MaxAttempts": 300})
    (instance,) = emr.list_instances(ClusterId=cluster_id)["Instances"]
    node = home.clusters / cluster_id / instance["Ec2InstanceId"]
    found = {}
    for one in emr.list_steps(ClusterId=cluster_id)["Steps"]:
        try:
            waiter = emr.get_waiter("step_complete")
            waiter.wait(ClusterId=cluster_id, StepId=one["Id"], WaiterConfig={"Delay": 1, "MaxAttempts": 200})
        except Exception:  # it failed, as some shall
            pass
        state = emr.describe_step(ClusterId=cluster_id, StepId=one["Id"])["Step"]["Status"]["State"]
        logs = node / "var/log/hadoop/steps" / one["Id"]
        found[one["Name"]] = (state, "".join((logs / name).read_text() for name in ("stdout", "stderr")))
    containers = node / "var/log/hadoop-yarn/containers"
    said = "".join(file.read_text() for file in containers.rglob("stdout"))
    yield instance["Ec2InstanceId"], found, said
    emr.terminate_job_flows(JobFlowIds=[cluster_id])
    emr.get_waiter("cluster_terminated").wait(ClusterId=cluster_id, WaiterConfig={"Delay": 1, "MaxAttempts": 60})


def test_commands_of_a_step_are_the_role_on_this_instance(done):
    ec2, found, _ = done
    assert found["who"] == ("COMPLETED", f"arn:aws:sts::{ACCOUNT}:assumed-role/narrow/{ec2}\n")


def test_hadoop_reads_what_the_role_may_and_nothing_else(done):
    _, found, _ = done
    state, said = found["open"]
    assert (state, said.startswith("one\ntwo\n")) == ("COMPLETED", True)
    state, said = found["closed"]
    assert state == "FAILED"
    assert "AccessDenied" in said or "Access Denied" in said or "Forbidden" in said


def test_so_does_the_cli(done):
    _, found, _ = done
    state, said = found["cli"]
    assert (state, "403" in said or "AccessDenied" in said) == ("FAILED", True)


def test_spark_in_containers_is_the_role_too(done, s3):
    ec2, found, said = done
    assert found["job"][0] == "COMPLETED", found["job"][1][-3000:]
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/narrow/{ec2}"
    assert [line for line in said.splitlines() if line.split()[0] in ("driver", "executor", "lines")] == [
        f"driver {arn}",
        f"executor {arn}",
        "lines 2",
    ]
    keys = [one["Key"] for one in s3.list_objects_v2(Bucket="roles", Prefix="out/")["Contents"]]
    assert "out/_SUCCESS" in keys
