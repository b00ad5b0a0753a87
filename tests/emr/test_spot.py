"""A real cluster of fleets whose spot instances are taken away under a running job: it finishes on the rest."""

from __future__ import annotations

import gzip
from typing import Any

import psutil
import pytest

from emrlab.clock import Clock
from emrlab.emr.market import spot_market
from emrlab.processes import owned

from .real import waiter

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]
until = waiter(90)
FAST = 1000.0  # a price stays for 1.8 seconds, a notice is an eighth of one
TYPES = [f"{family}.xlarge" for family in ("m5", "m5a", "m5d", "m6i", "m6a", "c5", "c5a", "c5d", "r5", "r5a", "r5d")]
WORK = """
import time
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
def slow(number):
    time.sleep(0.5)
    return number
print("sum", spark.sparkContext.parallelize(range(160), 160).map(slow).sum())
spark.stop()
"""


@pytest.fixture(scope="module")
def emr(home, aws):
    Clock(home).set(1)  # prices stay for half an hour
    return aws("emr")


@pytest.fixture(scope="module")
def cluster(emr, aws):
    s3 = aws("s3")
    s3.create_bucket(Bucket="spot")
    s3.put_object(Bucket="spot", Key="work.py", Body=WORK.encode())
    one = [{"InstanceType": "m5.xlarge"}]
    fleets = [
        {"InstanceFleetType": role, "TargetOnDemandCapacity": 1, "InstanceTypeConfigs": one}
        for role in ("MASTER", "CORE")
    ]
    made = emr.run_job_flow(
        Name="spot",
        ReleaseLabel="emr-7.9.0",
        LogUri="s3://spot/logs",
        Applications=[{"Name": "Spark"}],
        Instances={"InstanceFleets": fleets, "KeepJobFlowAliveWhenNoSteps": True},
    )["JobFlowId"]
    emr.get_waiter("cluster_running").wait(ClusterId=made, WaiterConfig={"Delay": 1, "MaxAttempts": 120})
    return made


def about_to_rise(market: spot_market.Market, zone: str) -> tuple[str, float]:
    """An instance type that is to cost more from the market's next half hour on, and what it costs now."""
    slot = market.slot(None)
    for name in TYPES:
        now, later = (market.slot_price(name, zone, each) for each in (slot, slot + 1))
        if now and later and later > now:
            return name, now
    raise AssertionError("all prices fall")


def test_spark_finishes_on_the_rest_when_spot_instances_are_taken(emr, aws, cluster, home):
    told = emr.describe_cluster(ClusterId=cluster)["Cluster"]
    zone = told["Ec2InstanceAttributes"]["Ec2AvailabilityZone"]
    submit = ["spark-submit", "--conf", "spark.dynamicAllocation.enabled=false", "--num-executors", "5"]
    submit += ["--executor-cores", "1", "--executor-memory", "2g", "s3://spot/work.py"]
    work = {"Jar": "command-runner.jar", "Args": submit}
    name, bid = about_to_rise(spot_market.market(home), zone)
    fleet = emr.add_instance_fleet(
        ClusterId=cluster,
        InstanceFleet={
            "InstanceFleetType": "TASK",
            "TargetSpotCapacity": 2,
            "InstanceTypeConfigs": [{"InstanceType": name, "BidPrice": f"{bid:.6f}"}],
        },
    )["InstanceFleetId"]

    def instances(*states: str) -> list[dict[str, Any]]:
        return emr.list_instances(ClusterId=cluster, InstanceFleetId=fleet, InstanceStates=list(states))["Instances"]

    until(lambda: len(instances("RUNNING")) == 2)
    (step,) = emr.add_job_flow_steps(
        JobFlowId=cluster, Steps=[{"Name": "work", "ActionOnFailure": "CONTINUE", "HadoopJarStep": work}]
    )["StepIds"]
    running = instances("RUNNING")
    folders = {str(home.clusters / cluster / one["Ec2InstanceId"]) for one in running}
    until(lambda: busy(home, folders))  # executors of the job run there
    Clock(home).set(FAST)
    until(lambda: len(instances("TERMINATED")) == 2)
    Clock(home).set(1)
    reasons = {one["Status"]["StateChangeReason"]["Message"] for one in instances("TERMINATED")}
    assert all(f"interrupted: {name} costs more than" in reason for reason in reasons)
    assert not busy(home, folders)
    status = emr.describe_step(ClusterId=cluster, StepId=step)["Step"]["Status"]
    assert status["State"] == "RUNNING"  # the job lives
    emr.get_waiter("step_complete").wait(ClusterId=cluster, StepId=step, WaiterConfig={"Delay": 1, "MaxAttempts": 150})
    told = emr.list_instance_fleets(ClusterId=cluster)["InstanceFleets"]
    assert next(one for one in told if one["Id"] == fleet)["TargetSpotCapacity"] == 2
    key = f"logs/{cluster}/steps/{step}/stdout.gz"
    body = until(lambda: objects(aws, key))
    assert b"sum 12720" in body


def objects(aws, key: str) -> bytes:
    s3 = aws("s3")
    if not s3.list_objects_v2(Bucket="spot", Prefix=key).get("KeyCount"):
        return b""
    return gzip.decompress(s3.get_object(Bucket="spot", Key=key)["Body"].read())


def busy(home, folders: set[str]) -> int:
    """Spark's executors on these nodes."""
    count = 0
    for process in owned(home):
        try:
            count += process.environ().get("EMRLAB_NODE") in folders and "CoarseGrained" in " ".join(process.cmdline())
        except psutil.Error:  # it has ended meanwhile
            continue
    return count
