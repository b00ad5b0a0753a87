"""A cluster's figures, from what real engines have answered."""

from __future__ import annotations

import time

import pytest

from emrlab.emr.records import Cluster, Fleet, Group, Instance
from emrlab.emr.scaling import figures
from emrlab.emr.scaling.figures import cluster_metrics, read
from emrlab.emr.scaling.mapreduce import Jobs

from .conftest import step
from .stand_ins import HOST

MASTER = "127.76.143.10"
# "Monitor Amazon EMR metrics with CloudWatch": what a Hadoop 3 cluster of instance groups without task nodes reports.
DOCUMENTED = """
IsIdle ContainerAllocated ContainerReserved ContainerPending ContainerPendingRatio AppsCompleted AppsFailed AppsKilled
AppsPending AppsRunning AppsSubmitted CoreNodesRunning CoreNodesPending LiveDataNodes MRTotalNodes MRActiveNodes
MRLostNodes MRUnhealthyNodes MRDecommissionedNodes MRRebootedNodes MultiMasterInstanceGroupNodesRunning
MultiMasterInstanceGroupNodesRunningPercentage MultiMasterInstanceGroupNodesRequested S3BytesWritten S3BytesRead
HDFSUtilization HDFSBytesRead HDFSBytesWritten MissingBlocks CorruptBlocks TotalLoad MemoryTotalMB MemoryReservedMB
MemoryAvailableMB YARNMemoryAvailablePercentage MemoryAllocatedMB PendingDeletionBlocks UnderReplicatedBlocks
DfsPendingReplicationBlocks CapacityRemainingGB JobsRunning JobsFailed MapTasksRunning MapTasksRemaining
ReduceTasksRunning ReduceTasksRemaining
"""


def cluster(**more):
    basics = {"account": "123456789012", "region": "us-east-1", "name": "n", "release": "emr-7.9.0"}
    rest = {"applications": ["Hadoop"], "keep_alive": True, "protected": False, "master": MASTER}
    return Cluster(id="j-1", cluster="j-1", state="WAITING", **basics, **rest, **more)


def group(role, requested, **more):
    rest = {"name": role, "instance_type": "m5.xlarge", "state": "RUNNING"} | more
    return Group(id=f"ig-{role}", cluster="j-1", role=role, requested=requested, **rest)


def instance(owner, state="RUNNING", **more):
    number = time.monotonic_ns()
    rest = {"instance_type": "m5.xlarge", "name": HOST} | more
    return Instance(id=f"ci-{number}", cluster="j-1", state=state, group=owner.id, ec2=f"i-{number}", **rest)


@pytest.fixture
def told(engines):
    """``told("mapreduce")``: the figures of a cluster of one core node, then."""
    groups = [group("MASTER", 1), group("CORE", 1)]
    instances, jobs = [instance(one) for one in groups], Jobs()

    def told(moment):
        engines.be(moment)
        return read(cluster(), groups, instances, jobs, cluster_metrics(MASTER))

    return told


def test_everything_documented_is_told_and_nothing_else(told):
    assert sorted(told("idle")) == sorted(DOCUMENTED.split())


def test_an_idle_cluster_has_its_memory_free_and_no_work(told):
    found = told("idle")
    assert found["IsIdle"] == (1, "None")
    assert found["MemoryTotalMB"] == found["MemoryAvailableMB"] == (12288, "Count")
    assert found["YARNMemoryAvailablePercentage"] == (100.0, "Percent")
    assert found["LiveDataNodes"] == (100.0, "Percent")
    assert 0 < found["HDFSUtilization"][0] < 1
    assert 60 < found["CapacityRemainingGB"][0] < 80
    nothing = ("AppsRunning", "ContainerPending", "MissingBlocks", "HDFSBytesRead", "MapTasksRunning", "MRLostNodes")
    assert [found[name][0] for name in nothing] == [0] * len(nothing)
    assert [found[name][0] for name in ("CoreNodesRunning", "CoreNodesPending", "MRTotalNodes")] == [1, 0, 1]
    assert found["MultiMasterInstanceGroupNodesRunningPercentage"] == (100.0, "Percent")


def test_a_mapreduce_job_counts_while_it_runs(told):
    found = told("mapreduce")
    assert found["IsIdle"] == (0, "None")
    assert found["ContainerAllocated"] == (3, "Count")
    assert found["ContainerPending"] == (2, "Count")
    assert found["ContainerPendingRatio"][0] == pytest.approx(2 / 3)
    assert found["YARNMemoryAvailablePercentage"][0] == 0
    assert (found["JobsRunning"][0], found["MapTasksRunning"][0], found["MapTasksRemaining"][0]) == (1, 2, 2)
    assert (found["ReduceTasksRunning"][0], found["ReduceTasksRemaining"][0]) == (0, 1)
    # 240,000 bytes of word count, which has ended, and what the running job has read so far.
    assert found["S3BytesRead"][0] == 240000
    assert found["HDFSBytesRead"][0] == 87 + 572
    assert found["HDFSBytesWritten"][0] == 48


def test_a_job_that_has_ended_keeps_its_bytes_and_is_not_asked_again(told, engines):
    told("mapreduce")
    found = told("after")
    assert found["HDFSBytesRead"][0] == 87 + 1716
    assert found["JobsRunning"][0] == found["MapTasksRunning"][0] == 0
    engines.asked.clear()
    assert told("spark")["HDFSBytesRead"][0] == 87 + 1716
    assert not [one for one in engines.asked if "counters" in one]


def test_containers_that_wait_without_any_at_work_are_the_ratio(told, engines):
    told("idle")
    engines.metrics["containersPending"] = 3
    assert figures.yarn(cluster_metrics(MASTER))["ContainerPendingRatio"][0] == 3


def test_an_engine_that_does_not_answer_has_no_figures(engines):
    groups = [group("MASTER", 1), group("CORE", 1)]
    engines.fall_silent()
    assert read(cluster(), groups, [], Jobs(), cluster_metrics(MASTER)) == {}
    engines.be("idle")
    del engines.answers["9870/jmx?NameNodeInfo"]
    found = read(cluster(), groups, [], Jobs(), cluster_metrics(MASTER))
    assert "HDFSUtilization" not in found
    assert "IsIdle" in found


def test_nodes_that_are_gone_are_not_counted(told, engines):
    told("idle")
    engines.metrics.update(totalNodes=4, lostNodes=1, decommissionedNodes=1, activeNodes=2)
    found = figures.yarn(cluster_metrics(MASTER))
    assert (found["MRTotalNodes"][0], found["MRLostNodes"][0], found["MRActiveNodes"][0]) == (2, 1, 2)


def test_task_nodes_are_told_where_there_are_some_and_those_that_come(told):
    core, task = group("CORE", 3), group("TASK", 2)
    there = [instance(core), instance(core), instance(core, "BOOTSTRAPPING"), instance(task, "TERMINATED")]
    found = figures.nodes([group("MASTER", 1), core, task], there)
    assert (found["CoreNodesRunning"][0], found["CoreNodesPending"][0]) == (2, 1)
    assert (found["TaskNodesRunning"][0], found["TaskNodesPending"][0]) == (0, 2)
    assert "TaskNodesRunning" not in figures.nodes([core], there)


@pytest.mark.parametrize(("unit", "word", "each"), [("Instances", "Nodes", 1), ("VCPU", "VCPU", 4)])
def test_managed_scaling_adds_capacity_in_its_policys_unit(unit, word, each):
    core, task = group("CORE", 3), group("TASK", 1)
    scaled = cluster(managed_scaling={"ComputeLimits": {"UnitType": unit}})
    found = figures.capacity(scaled, [group("MASTER", 1), core, task], [instance(core), instance(core), instance(task)])
    assert found == {
        f"Total{word}Requested": (4 * each, "Count"),
        f"Total{word}Running": (3 * each, "Count"),
        f"Core{word}Requested": (3 * each, "Count"),
        f"Core{word}Running": (2 * each, "Count"),
        f"Task{word}Requested": (1 * each, "Count"),
        f"Task{word}Running": (1 * each, "Count"),
    }


def test_the_capacity_of_fleets_is_in_their_units():
    core = Fleet(id="if-1", cluster="j-1", state="RUNNING", name="", role="CORE", target_on_demand=4, target_spot=8)
    scaled = cluster(collection="INSTANCE_FLEET", auto_termination={"IdleTimeout": 60})
    found = figures.capacity(scaled, [core], [instance(core, weight=4), instance(core, weight=2, market="SPOT")])
    assert (found["TotalUnitsRequested"][0], found["CoreUnitsRunning"][0], found["TaskUnitsRunning"][0]) == (12, 6, 0)


# Pushed


def test_metrics_are_pushed_when_a_cluster_is_up_and_again_after_five_lab_minutes(launch, emr, engines, cloudwatch):
    emr.clock.set(600)  # five minutes are half a second
    life = launch().until_state("WAITING")
    life.until(lambda life: len(cloudwatch.values("IsIdle", life.id)) >= 2)
    first, second = [one for one in cloudwatch.points if one["MetricName"] == "IsIdle"][:2]
    assert first["Namespace"] == "AWS/ElasticMapReduce"
    assert first["Unit"] == "None"
    assert (second["Timestamp"] - first["Timestamp"]).total_seconds() > 0.4
    assert abs(first["Timestamp"].timestamp() - time.time()) < 60
    assert "TotalNodesRequested" not in {one["MetricName"] for one in cloudwatch.points}


def test_bytes_are_those_since_the_last_push_and_each_jobs_own(launch, emr, engines, cloudwatch):
    emr.clock.set(600)
    engines.be("mapreduce")
    life = launch().until_state("WAITING")
    life.until(lambda life: len(cloudwatch.values("HDFSBytesRead", life.id)) >= 2)
    engines.be("after")
    life.until(lambda life: sum(cloudwatch.values("HDFSBytesRead", life.id)) == 87 + 1716)
    assert cloudwatch.values("HDFSBytesRead", life.id)[:2] == [87 + 572, 0]
    jobs = {
        one["Dimensions"][1]["Value"]: one["Value"]
        for one in cloudwatch.points
        if one["MetricName"] == "S3BytesRead" and len(one["Dimensions"]) == 2
    }
    assert jobs["job_1795616522570_0001"] == 240000


def test_a_cluster_that_does_not_answer_reports_nothing_and_works_on(launch, emr, engines, cloudwatch):
    emr.clock.set(1000)
    engines.fall_silent()
    life = launch().until_state("WAITING")
    life.add(step("works", "true"))
    life.until(lambda life: life.step_states() == ["COMPLETED"])
    assert cloudwatch.points == []
    engines.be("idle")
    life.until(lambda life: bool(cloudwatch.points))


def test_managed_scaling_pushes_every_lab_minute_what_containers_had(launch, emr, engines, cloudwatch):
    emr.clock.set(100)
    engines.be("spark")
    limits = {"UnitType": "Instances", "MinimumCapacityUnits": 1, "MaximumCapacityUnits": 1}
    life = launch(ManagedScalingPolicy={"ComputeLimits": limits}).until_state("WAITING")
    life.until(lambda life: len(cloudwatch.values("YarnNodesTotalMemoryGBSeconds", life.id)) >= 2)
    cores = cloudwatch.values("YarnContainersTotalVCPUSeconds", life.id)
    memory = cloudwatch.values("YarnNodesTotalMemoryGBSeconds", life.id)
    assert cores[1] > 0
    assert memory[1] == pytest.approx(3 * cores[1])  # 12 GB and 4 vCPU, of which containers have all
    assert cloudwatch.values("TotalNodesRequested", life.id)[0] == 1
