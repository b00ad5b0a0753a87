"""Metrics and scaling on a real cluster and a real CloudWatch: the figures are there, nodes come and go, and it ends.

One cluster serves all tests of this module, in their order.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from emrlab.clock import Clock
from emrlab.processes import owned

from .real import waiter

pytestmark = [pytest.mark.engine, pytest.mark.timeout(500)]
until = waiter(120)
ROLE = "EMR_AutoScaling_DefaultRole"
NODES = "import time\nfrom pyspark.sql import SparkSession\nspark = SparkSession.builder.getOrCreate()\n"
WORK = NODES + "spark.sparkContext.parallelize(range(24), 24).map(lambda n: time.sleep(2)).count()\nspark.stop()\n"


@pytest.fixture(scope="module")
def clock(home, region):
    """Five lab minutes are five seconds."""
    found = Clock(home)
    found.set(60)
    return found


@pytest.fixture(scope="module")
def emr(aws):
    return aws("emr")


@pytest.fixture(scope="module")
def cluster(aws, emr, clock):
    aws("s3").create_bucket(Bucket="scaling")
    aws("s3").put_object(Bucket="scaling", Key="work.py", Body=WORK.encode())
    groups = [
        {"InstanceRole": role, "InstanceType": "m5.xlarge", "InstanceCount": 1, "Name": role.lower()}
        for role in ("MASTER", "CORE")
    ]
    made = emr.run_job_flow(
        Name="scaling",
        ReleaseLabel="emr-7.9.0",
        Applications=[{"Name": "Hadoop"}, {"Name": "Spark"}],
        AutoScalingRole=ROLE,
        Instances={"InstanceGroups": groups, "KeepJobFlowAliveWhenNoSteps": True},
    )["JobFlowId"]
    until(lambda: emr.describe_cluster(ClusterId=made)["Cluster"]["Status"]["State"] == "WAITING", 180)
    return made


def groups(emr, cluster):
    found = emr.list_instance_groups(ClusterId=cluster)["InstanceGroups"]
    return {one["InstanceGroupType"]: one for one in found if one["Status"]["State"] != "TERMINATED"}


def running(emr, cluster):
    return {role: one["RunningInstanceCount"] for role, one in groups(emr, cluster).items() if role != "MASTER"}


def statistics(aws, cluster, name, statistic="Average"):
    told = aws("cloudwatch").get_metric_statistics(
        Namespace="AWS/ElasticMapReduce",
        MetricName=name,
        Dimensions=[{"Name": "JobFlowId", "Value": cluster}],
        StartTime=datetime.now(UTC) - timedelta(minutes=30),
        EndTime=datetime.now(UTC) + timedelta(minutes=1),
        Period=60,
        Statistics=[statistic],
    )["Datapoints"]
    return [one[statistic] for one in sorted(told, key=lambda one: one["Timestamp"])]


def submit(emr, cluster, *more):
    command = ["spark-submit", "--conf", "spark.dynamicAllocation.enabled=false", "--num-executors", "5"]
    work = {"Jar": "command-runner.jar", "Args": [*command, "--executor-memory", "3g", *more, "s3://scaling/work.py"]}
    step = {"Name": "work", "ActionOnFailure": "CONTINUE", "HadoopJarStep": work}
    return emr.add_job_flow_steps(JobFlowId=cluster, Steps=[step])["StepIds"][0]


def state_of(emr, cluster, step):
    return emr.describe_step(ClusterId=cluster, StepId=step)["Step"]["Status"]["State"]


def test_metrics_of_an_idle_cluster_are_in_cloudwatch(aws, cluster):
    until(lambda: statistics(aws, cluster, "IsIdle", "SampleCount"))
    assert statistics(aws, cluster, "IsIdle")[-1] == 1
    assert statistics(aws, cluster, "MemoryTotalMB")[-1] == 12288
    assert statistics(aws, cluster, "CoreNodesRunning")[-1] == 1
    assert statistics(aws, cluster, "LiveDataNodes")[-1] == 100
    query = {
        "Id": "a",
        "MetricStat": {
            "Metric": {
                "Namespace": "AWS/ElasticMapReduce",
                "MetricName": "YARNMemoryAvailablePercentage",
                "Dimensions": [{"Name": "JobFlowId", "Value": cluster}],
            },
            "Period": 60,
            "Stat": "Average",
        },
    }
    now = datetime.now(UTC)
    told = aws("cloudwatch").get_metric_data(
        MetricDataQueries=[query], StartTime=now - timedelta(minutes=30), EndTime=now + timedelta(minutes=1)
    )["MetricDataResults"][0]
    assert told["Values"][-1] == 100.0
    listed = aws("cloudwatch").list_metrics(Namespace="AWS/ElasticMapReduce")["Metrics"]
    assert len({one["MetricName"] for one in listed}) >= 40


def test_managed_scaling_brings_task_nodes_for_work_and_takes_them_away(aws, emr, cluster):
    limits = {"UnitType": "Instances", "MinimumCapacityUnits": 1, "MaximumCapacityUnits": 3}
    policy = {"ComputeLimits": {**limits, "MaximumCoreCapacityUnits": 1, "MaximumOnDemandCapacityUnits": 3}}
    emr.put_managed_scaling_policy(ClusterId=cluster, ManagedScalingPolicy=policy)
    step = submit(emr, cluster)
    until(lambda: running(emr, cluster) == {"CORE": 1, "TASK": 1} or running(emr, cluster).get("TASK", 0) > 1)
    until(lambda: state_of(emr, cluster, step) == "COMPLETED", 200)
    until(lambda: running(emr, cluster) == {"CORE": 1, "TASK": 0}, 200)
    assert max(statistics(aws, cluster, "TotalNodesRunning", "Maximum")) >= 2
    assert max(statistics(aws, cluster, "ContainerPending", "Maximum")) >= 1
    emr.remove_managed_scaling_policy(ClusterId=cluster)


def test_automatic_scaling_acts_on_real_alarms(aws, emr, cluster):
    alarm = {"ComparisonOperator": "LESS_THAN", "MetricName": "YARNMemoryAvailablePercentage", "Period": 300}
    rule = {
        "Name": "out",
        "Action": {"SimpleScalingPolicyConfiguration": {"ScalingAdjustment": 1, "CoolDown": 300}},
        "Trigger": {"CloudWatchAlarmDefinition": {**alarm, "Threshold": 25.0, "Unit": "PERCENT"}},
    }
    core = groups(emr, cluster)["CORE"]["Id"]
    policy = {"Constraints": {"MinCapacity": 1, "MaxCapacity": 2}, "Rules": [rule]}
    emr.put_auto_scaling_policy(ClusterId=cluster, InstanceGroupId=core, AutoScalingPolicy=policy)
    until(lambda: groups(emr, cluster)["CORE"]["AutoScalingPolicy"]["Status"]["State"] == "ATTACHED")
    (made,) = aws("cloudwatch").describe_alarms()["MetricAlarms"]
    assert made["AlarmName"].startswith(f"AWSEMR-{cluster}-{core}")
    assert made["StateValue"] in ("OK", "INSUFFICIENT_DATA")
    step = submit(emr, cluster)
    until(lambda: running(emr, cluster)["CORE"] == 2)
    until(lambda: state_of(emr, cluster, step) == "COMPLETED", 200)
    history = aws("cloudwatch").describe_alarm_history(AlarmName=made["AlarmName"])["AlarmHistoryItems"]
    assert any("to ALARM" in one["HistorySummary"] for one in history)
    emr.remove_auto_scaling_policy(ClusterId=cluster, InstanceGroupId=core)
    until(lambda: not aws("cloudwatch").describe_alarms()["MetricAlarms"])


def test_an_idle_cluster_terminates_itself_and_leaves_nothing(aws, emr, cluster, home, clock):
    emr.put_auto_termination_policy(ClusterId=cluster, AutoTerminationPolicy={"IdleTimeout": 300})
    until(lambda: emr.describe_cluster(ClusterId=cluster)["Cluster"]["Status"]["State"] == "TERMINATED")
    reason = emr.describe_cluster(ClusterId=cluster)["Cluster"]["Status"]["StateChangeReason"]
    assert "auto-termination policy" in reason["Message"]
    assert statistics(aws, cluster, "AutoTerminationIsClusterIdle")[-1] == 1
    assert not [one for one in owned(home) if "hadoop" in " ".join(one.cmdline())]
