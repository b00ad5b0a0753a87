"""A real cluster that grows and shrinks under load: no block and no task's result is lost.

One cluster serves all tests of this module, in their order.
"""

from __future__ import annotations

from typing import Any

import pytest

from .real import get, kill_node, on_master, waiter

pytestmark = [pytest.mark.engine, pytest.mark.timeout(400)]
until = waiter(90)
SLOW = """
import time
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
def slow(number):
    time.sleep(0.5)
    return number
data = spark.sparkContext.parallelize(range(60), 60).map(lambda n: (n % 7, slow(n))).reduceByKey(lambda a, b: a + b, 7)
print("sum", data.map(lambda pair: slow(pair[1])).sum())
spark.stop()
"""


@pytest.fixture(scope="module")
def emr(aws):
    return aws("emr")


@pytest.fixture(scope="module")
def cluster(emr, aws):
    s3 = aws("s3")
    s3.create_bucket(Bucket="sizes")
    s3.put_object(Bucket="sizes", Key="slow.py", Body=SLOW.encode())
    s3.put_object(Bucket="sizes", Key="short.py", Body=SLOW.replace("60", "8").encode())
    made = emr.run_job_flow(
        Name="sizes",
        ReleaseLabel="emr-7.9.0",
        LogUri="s3://sizes/logs",
        Applications=[{"Name": "Spark"}],
        Configurations=[{"Classification": "hdfs-site", "Properties": {"dfs.replication": "2"}}],
        Instances={
            "InstanceCount": 3,
            "MasterInstanceType": "m5.xlarge",
            "SlaveInstanceType": "m5.xlarge",
            "KeepJobFlowAliveWhenNoSteps": True,
        },
        StepConcurrencyLevel=2,
    )["JobFlowId"]
    emr.get_waiter("cluster_running").wait(ClusterId=made, WaiterConfig={"Delay": 1, "MaxAttempts": 120})
    return made


@pytest.fixture(scope="module")
def master(emr, cluster):
    return emr.describe_cluster(ClusterId=cluster)["Cluster"]["MasterPublicDnsName"]


def group(emr, cluster: str, role: str) -> dict[str, Any]:
    found = emr.list_instance_groups(ClusterId=cluster)["InstanceGroups"]
    return next(one for one in found if one["InstanceGroupType"] == role)


def resized(emr, cluster: str, role: str, count: int, seconds: float = 120) -> None:
    def holds() -> bool:
        told = group(emr, cluster, role)
        assert told["Status"]["State"] not in ("SUSPENDED", "ARRESTED"), told["Status"]
        return told["Status"]["State"] == "RUNNING" and told["RunningInstanceCount"] == count

    until(holds, seconds)


def modify(emr, cluster: str, role: str, **change: Any) -> None:
    change["InstanceGroupId"] = group(emr, cluster, role)["Id"]
    emr.modify_instance_groups(ClusterId=cluster, InstanceGroups=[change])


def yarn(master: str) -> dict[str, Any]:
    return get(f"http://{master}:8088/ws/v1/cluster/metrics")["clusterMetrics"]


def hdfs(master: str) -> dict[str, Any]:
    return get(f"http://{master}:9870/jmx?qry=Hadoop:service=NameNode,name=FSNamesystem")["beans"][0]


def run(emr, cluster: str, *arguments: str) -> str:
    work = {"Jar": "command-runner.jar", "Args": list(arguments)}
    (made,) = emr.add_job_flow_steps(
        JobFlowId=cluster, Steps=[{"Name": "work", "ActionOnFailure": "CONTINUE", "HadoopJarStep": work}]
    )["StepIds"]
    return made


def over(emr, cluster: str, step_id: str) -> str:
    def state() -> str:
        told = emr.describe_step(ClusterId=cluster, StepId=step_id)["Step"]["Status"]["State"]
        return told if told in ("COMPLETED", "FAILED", "CANCELLED", "INTERRUPTED") else ""

    return until(state, 200)


def test_a_core_group_grows_and_new_nodes_take_blocks_and_containers(emr, cluster, master):
    modify(emr, cluster, "CORE", InstanceCount=4)
    resized(emr, cluster, "CORE", 4)
    assert yarn(master)["activeNodes"] == 4
    assert yarn(master)["totalMB"] == 4 * 12288
    on_master(
        cluster,
        "head -c 30000000 /dev/urandom > big; hdfs dfs -D dfs.blocksize=1048576 -put big /big; sha256sum big > sum",
    )
    report = on_master(cluster, "hdfs fsck / -files -blocks -locations")
    for node in emr.list_instances(ClusterId=cluster, InstanceGroupTypes=["CORE"])["Instances"]:
        assert node["PrivateIpAddress"] in report


def test_shrinking_under_load_loses_no_block_and_no_tasks_result(emr, cluster, master, aws):
    running = run(
        *(emr, cluster, "spark-submit", "--conf", "spark.dynamicAllocation.enabled=false", "--num-executors", "4"),
        *("--executor-cores", "1", "--executor-memory", "1g", "s3://sizes/slow.py"),
    )
    until(lambda: yarn(master)["containersAllocated"] >= 5)
    modify(emr, cluster, "CORE", InstanceCount=2)
    told = group(emr, cluster, "CORE")
    assert told["Status"]["State"] == "RESIZING"
    until(
        lambda: (
            "Decommissioning 2 instances"
            in group(emr, cluster, "CORE")["Status"]["StateChangeReason"].get("Message", "")
        )
    )
    assert over(emr, cluster, running) == "COMPLETED"
    resized(emr, cluster, "CORE", 2, 200)
    found = hdfs(master)
    assert (found["MissingBlocks"], found["CorruptBlocks"], found["UnderReplicatedBlocks"]) == (0, 0, 0)
    assert on_master(cluster, "hdfs dfs -cat /big | sha256sum").split()[0] == on_master(cluster, "cat sum").split()[0]
    app = get(f"http://{master}:8088/ws/v1/cluster/apps?states=FINISHED")["apps"]["app"][-1]
    assert app["finalStatus"] == "SUCCEEDED"
    gone = emr.list_instances(ClusterId=cluster, InstanceStates=["TERMINATED"])["Instances"]
    assert len(gone) == 2


def test_a_task_group_joins_and_holds_no_block(emr, cluster, master):
    asked = {"InstanceRole": "TASK", "InstanceType": "c5.xlarge", "InstanceCount": 1, "Name": "more hands"}
    emr.add_instance_groups(JobFlowId=cluster, InstanceGroups=[asked])
    resized(emr, cluster, "TASK", 1)
    assert yarn(master)["activeNodes"] == 3
    modify(emr, cluster, "TASK", InstanceCount=0)
    resized(emr, cluster, "TASK", 0)
    until(lambda: yarn(master)["activeNodes"] == 2)


def test_a_node_that_dies_is_replaced_and_hdfs_is_whole_again(emr, cluster, master, home):
    (first, *_) = emr.list_instances(ClusterId=cluster, InstanceGroupTypes=["CORE"], InstanceStates=["RUNNING"])[
        "Instances"
    ]
    folder = home.clusters / cluster / first["Ec2InstanceId"]
    kill_node(home, folder)

    def lost() -> list[str]:
        told = emr.list_instances(ClusterId=cluster, InstanceStates=["TERMINATED"])["Instances"]
        return [one["Id"] for one in told]

    until(lambda: first["Id"] in lost())
    resized(emr, cluster, "CORE", 2)
    until(lambda: hdfs(master)["UnderReplicatedBlocks"] == 0 and hdfs(master)["NumLiveDataNodes"] == 2)


def test_reconfigured_nodes_offer_what_they_are_told_to(emr, cluster, master):
    site = {"Classification": "yarn-site", "Properties": {"yarn.nodemanager.resource.memory-mb": "6144"}}
    modify(emr, cluster, "CORE", Configurations=[site])
    assert group(emr, cluster, "CORE")["Status"]["State"] == "RECONFIGURING"
    resized(emr, cluster, "CORE", 2)
    until(lambda: yarn(master)["totalMB"] == 2 * 6144)
    broken = {"Classification": "yarn-site", "Properties": {"yarn.nodemanager.resource.memory-mb": "much"}}
    modify(emr, cluster, "CORE", Configurations=[broken])
    resized(emr, cluster, "CORE", 2)
    told = group(emr, cluster, "CORE")
    assert "Reconfiguration failed: " in told["Status"]["StateChangeReason"]["Message"]
    assert told["LastSuccessfullyAppliedConfigurationsVersion"] == 2
    until(lambda: yarn(master)["totalMB"] == 2 * 6144)


def test_steps_that_find_no_room_wait_for_it(emr, cluster, master):
    """Two at a time may run, the cluster has memory for one: YARN queues the other, and both complete."""
    submit = ["spark-submit", "--conf", "spark.dynamicAllocation.enabled=false", "--num-executors", "2"]
    submit += ["--executor-memory", "3800m", "--executor-cores", "1", "s3://sizes/short.py"]
    steps = [run(emr, cluster, *submit) for _ in range(2)]
    apps = f"http://{master}:8088/ws/v1/cluster/apps?states=ACCEPTED,RUNNING"
    until(lambda: len((get(apps)["apps"] or {}).get("app", [])) == 2)
    until(lambda: yarn(master)["appsPending"] + yarn(master)["containersPending"] > 0)
    assert [over(emr, cluster, one) for one in steps] == ["COMPLETED", "COMPLETED"]
