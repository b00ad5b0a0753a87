"""Managed scaling: the limits EMR takes, and what comes and goes within them."""

from __future__ import annotations

import pytest

from emrlab.emr.chores import managed_scaling as chore
from emrlab.emr.records import Group
from emrlab.emr.scaling import watch
from emrlab.emr.scaling.managed_scaling import Limits, Pool, grown, missing, shrunk
from emrlab.errors import AwsError

from .stand_ins import HOST

GB = 1024


def limits(least=1, most=20, **more):
    names = {"on_demand": "MaximumOnDemandCapacityUnits", "core": "MaximumCoreCapacityUnits"}
    found = {"UnitType": more.pop("unit", "Instances"), "MinimumCapacityUnits": least, "MaximumCapacityUnits": most}
    return {"ComputeLimits": found | {names[name]: value for name, value in more.items()}}


def policy(ask, life):
    return ask("GetManagedScalingPolicy", ClusterId=life.id).get("ManagedScalingPolicy")


# Policies


def test_a_policy_is_kept_changed_and_removed(ask, launch):
    life = launch()
    assert policy(ask, life) is None
    for given in (limits(), limits(2, 8, core=4, on_demand=6), limits(4, 32, unit="VCPU")):
        ask("PutManagedScalingPolicy", ClusterId=life.id, ManagedScalingPolicy=given)
        assert policy(ask, life) == given
    advanced = {**limits(), "ScalingStrategy": "ADVANCED", "UtilizationPerformanceIndex": 75}
    ask("PutManagedScalingPolicy", ClusterId=life.id, ManagedScalingPolicy=advanced)
    assert policy(ask, life) == advanced
    for _ in range(2):
        ask("RemoveManagedScalingPolicy", ClusterId=life.id)
        assert policy(ask, life) is None
    assert policy(ask, launch(ManagedScalingPolicy=limits())) == limits()


WRONG = {
    "nothing": ({}, "ComputeLimits is missing"),
    "minimum": (limits(0), "The min capacity must be at least 1"),
    "order": (limits(5, 4), "The min capacity cannot be higher than max capacity"),
    "core": (limits(1, 4, core=5), "The max Core capacity cannot be higher than max capacity"),
    "on demand": (limits(1, 4, on_demand=5), "The max On-Demand capacity cannot be higher than max capacity"),
    "negative": (limits(1, 4, on_demand=-1), "The max On-Demand capacity cannot be negative"),
    "fleets": (limits(unit="InstanceFleetUnits"), "does not fit a cluster of instance groups"),
    "strategy": ({**limits(), "UtilizationPerformanceIndex": 50}, "needs ScalingStrategy ADVANCED"),
    "index": (
        {**limits(), "ScalingStrategy": "ADVANCED", "UtilizationPerformanceIndex": 30},
        "one of 1, 25, 50, 75, 100, not 30",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_limits_that_contradict_each_other_are_refused(ask, launch, name):
    given, said = WRONG[name]
    life = launch()
    with pytest.raises(AwsError, match=said) as caught:
        ask("PutManagedScalingPolicy", ClusterId=life.id, ManagedScalingPolicy=given)
    assert caught.value.code == "ValidationException"
    if given:
        with pytest.raises(AwsError, match=said):
            launch(ManagedScalingPolicy=given)


def test_a_cluster_without_core_nodes_has_nothing_to_scale(ask, launch):
    life = launch(Instances={"InstanceCount": 1})
    with pytest.raises(AwsError, match="no core nodes"):
        ask("PutManagedScalingPolicy", ClusterId=life.id, ManagedScalingPolicy=limits())


def test_a_cluster_that_is_over_takes_no_policy(ask, launch):
    life = launch().until_state("WAITING")
    ask("TerminateJobFlows", JobFlowIds=[life.id])
    with pytest.raises(AwsError, match="shutting down, terminated, or finished"):
        ask("PutManagedScalingPolicy", ClusterId=life.id, ManagedScalingPolicy=limits())


# Decisions: each node has 12 GB


def node_pool(role, market, count, **more):
    return Pool(f"{role}-{market}", role, market, count, more.pop("size", 1), 12 * GB, **more)


def counts(pools):
    return {f"{one.role} {one.market}": one.count for one in pools if one.count}


def allowed(least=1, most=20, on_demand=None, core=None, unit="Instances"):
    most_on_demand = most if on_demand is None else on_demand
    return Limits(unit, least, most, most_on_demand, most if core is None else core)


CORE, TASK, SPOT = "CORE ON_DEMAND", "TASK ON_DEMAND", "TASK SPOT"
# "Node allocation scenarios": core, task and spot nodes before, limits, and after a lot of work has come.
SCENARIOS = {
    "core nodes only": ((1, 1, 1), allowed(), {CORE: 18, TASK: 1, SPOT: 1}),
    "task nodes only": ((2, 0, 1), allowed(2, core=2, on_demand=2), {CORE: 2, SPOT: 18}),
    "on demand only": ((1, 1, 0), allowed(core=12), {CORE: 12, TASK: 8}),
    "core on demand, task spot": ((1, 1, 1), allowed(on_demand=7, core=7), {CORE: 6, TASK: 1, SPOT: 13}),
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_nodes_come_as_in_emrs_scenarios(name):
    (core, task, spot), given, expected = SCENARIOS[name]
    before = [
        node_pool("TASK", "SPOT", spot),
        node_pool("TASK", "ON_DEMAND", task),
        node_pool("CORE", "ON_DEMAND", core),
    ]
    assert counts(grown(before, given, 1000 * GB)) == expected


def test_spot_only_leaves_on_demand_out():
    before = [node_pool("CORE", "SPOT", 1), node_pool("TASK", "ON_DEMAND", 0), node_pool("TASK", "SPOT", 0)]
    found = counts(grown(before, allowed(on_demand=0, core=5), 1000 * GB))
    assert found == {"CORE SPOT": 5, "TASK SPOT": 15}


def test_no_more_comes_than_the_work_needs():
    before = [node_pool("CORE", "ON_DEMAND", 1)]
    assert counts(grown(before, allowed(), 25 * GB)) == {CORE: 4}
    assert counts(grown(before, allowed(), 0)) == {CORE: 1}


def test_the_minimum_comes_without_any_work():
    assert counts(grown([node_pool("CORE", "ON_DEMAND", 1)], allowed(least=3), 0)) == {CORE: 3}


def test_vcpu_count_by_the_nodes_size():
    before = [node_pool("CORE", "ON_DEMAND", 1, size=4)]
    assert counts(grown(before, allowed(4, 18, unit="VCPU"), 1000 * GB)) == {CORE: 4}


def test_idle_task_nodes_leave_before_core_nodes_and_spot_before_on_demand():
    before = [
        node_pool("CORE", "ON_DEMAND", 3, floor=1, free=2),
        node_pool("TASK", "ON_DEMAND", 2, free=2),
        node_pool("TASK", "SPOT", 2, free=1),
    ]
    assert counts(shrunk(before, allowed(), 12 * GB)) == {CORE: 3, TASK: 2, SPOT: 1}
    assert counts(shrunk(before, allowed(), 36 * GB)) == {CORE: 3, SPOT: 1}
    assert counts(shrunk(before, allowed(), 1000 * GB)) == {CORE: 1, SPOT: 1}
    assert counts(shrunk(before, allowed(least=6), 1000 * GB)) == {CORE: 3, TASK: 2, SPOT: 1}


def test_limits_that_were_lowered_are_kept_busy_or_not():
    before = [node_pool("CORE", "ON_DEMAND", 3, floor=1), node_pool("TASK", "SPOT", 4)]
    assert counts(shrunk(before, allowed(most=5), 0)) == {CORE: 3, SPOT: 2}
    assert counts(shrunk(before, allowed(core=2), 0)) == {CORE: 2, SPOT: 4}


def test_what_waits_is_what_is_missing():
    yarn = {"containersPending": 3, "allocatedMB": 11840, "reservedMB": 0, "pendingMB": 10944, "totalMB": 12288}
    assert missing(yarn, 1.0) == 11840 + 10944 - 12288
    assert missing(yarn, 0.25) == (11840 + 10944 - 12288) / 4
    assert missing({**yarn, "containersPending": 0}, 1.0) == 0
    assert missing({**yarn, "allocatedMB": 0, "pendingMB": 1000}, 1.0) == 1  # there is room, but in pieces


# At work


@pytest.fixture
def grows(emr, engines, cloudwatch, monkeypatch, launch):
    """``grows("spark", …limits)``: a cluster whose engines answer that; ``.groups()`` what it is to have."""
    monkeypatch.setattr(watch, "SHORTEST", 0.05)
    emr.clock.set(200)

    def grows(moment, more=None, **given):
        engines.be(moment)
        life = launch(ManagedScalingPolicy={**limits(**given), **(more or {})}).until_state("WAITING")
        life.groups = lambda: {
            f"{one.role} {one.market}": one.requested
            for one in emr.history.of(Group, life.id)
            if one.role != "MASTER" and not one.over
        }
        return life

    return grows


def test_a_cluster_grows_by_what_its_containers_wait_for(grows):
    life = grows("spark", most=5)  # 10,496 MiB are missing: one node
    life.until(lambda life: life.groups() == {CORE: 2})
    life.until(
        lambda life: len(life.ask("ListInstances", ClusterId=life.id, InstanceStates=["RUNNING"])["Instances"]) == 3
    )
    told = life.ask("ListInstanceGroups", ClusterId=life.id)["InstanceGroups"][1]
    assert (told["RequestedInstanceCount"], told["RunningInstanceCount"]) == (2, 2)
    assert life.groups() == {CORE: 2}  # the recorded answer goes on; what it asks for is there


def test_task_nodes_of_the_missing_market_get_a_group_of_their_own(grows, engines):
    life = grows("spark", most=3, core=1, on_demand=1)
    life.until(lambda life: life.groups() == {CORE: 1, SPOT: 1})
    told = life.ask("ListInstanceGroups", ClusterId=life.id)["InstanceGroups"][2]
    assert (told["InstanceGroupType"], told["Market"], told["InstanceType"]) == ("TASK", "SPOT", "m5.xlarge")
    life.until(lambda life: told_state(life, told["Id"]) == "RUNNING")


def told_state(life, group_id):
    groups = life.ask("ListInstanceGroups", ClusterId=life.id)["InstanceGroups"]
    return next(one["Status"]["State"] for one in groups if one["Id"] == group_id)


def test_an_idle_cluster_shrinks_to_its_minimum_and_keeps_what_hdfs_needs(grows, emr, ask, engines):
    life = grows("idle", least=3, most=6)
    life.until(lambda life: life.groups() == {CORE: 3})
    running = lambda: ask("ListInstances", ClusterId=life.id, InstanceStates=["RUNNING"])["Instances"]  # noqa: E731
    life.until(lambda life: len(running()) == 4)
    names = [one["PrivateDnsName"] for one in running()[1:]]
    node = engines.nodes[0]
    assert node["nodeHostName"] == HOST
    engines.nodes[:] = [{**node, "nodeHostName": name} for name in names]
    engines.metrics.update(totalMB=3 * 12288, availableMB=3 * 12288, totalNodes=3, activeNodes=3)
    ask("PutManagedScalingPolicy", ClusterId=life.id, ManagedScalingPolicy=limits())
    life.until(lambda life: life.groups() == {CORE: 1})


def test_a_node_with_an_applications_data_stays_while_that_runs(grows, emr, ask, engines, monkeypatch):
    life = grows("idle", most=6)
    driver = emr.drivers[life.id]
    found = watch.Reading(1.0, 0.0, {}, engines.metrics, {"a": {"numContainers": 0, "state": "RUNNING"}}, since=100.0)
    seen = chore.Seen(lab=500.0, busy={"a": 10.0}, worked={"a": 150.0})
    (core,) = [one for one in emr.history.of(Group, life.id) if one.role == "CORE"]
    (instance,) = [one for one in emr.history.of(chore.Instance, life.id) if one.group == core.id]
    instance.name = "a"
    assert driver.is_alive()
    assert chore.free(seen, found, 60.0, core, [instance]) == 0
    assert chore.free(chore.Seen(500.0, 500.0, 0, {"a": 10.0}, {"a": 50.0}), found, 60.0, core, [instance]) == 1
    seen.lab = 5000.0  # half an hour later
    assert chore.free(seen, found, 60.0, core, [instance]) == 1


def test_work_that_waits_only_a_moment_brings_no_nodes(engines):
    seen = chore.Seen()
    before = [node_pool("CORE", "ON_DEMAND", 1)]
    engines.be("spark")
    for moment, expected in ((1.0, 1), (2.0, 2)):
        found = watch.Reading(moment, 5.0, {}, engines.metrics)
        chore.notice(seen, found)
        assert counts(chore.decide(before, allowed(), seen, found, 1.0)) == {CORE: expected}


def test_nodes_on_their_way_count(engines):
    engines.be("spark")
    found, before = watch.Reading(1.0, 5.0, {}, engines.metrics), [node_pool("CORE", "ON_DEMAND", 2)]
    assert counts(chore.decide(before, allowed(), chore.Seen(waiting=5), found, 1.0)) == {CORE: 2}


def test_fleets_grow_in_units_on_demand_first_then_spot(launch, emr, engines, cloudwatch, monkeypatch):
    monkeypatch.setattr(watch, "SHORTEST", 0.05)
    emr.clock.set(200)
    engines.be("spark")
    engines.metrics["pendingMB"] = 5 * 12288
    weights = [{"InstanceType": "m5.xlarge", "WeightedCapacity": 2}]
    fleets = [
        {
            "InstanceFleetType": "MASTER",
            "TargetOnDemandCapacity": 1,
            "InstanceTypeConfigs": [{"InstanceType": "m5.xlarge"}],
        },
        {"InstanceFleetType": "CORE", "TargetOnDemandCapacity": 2, "InstanceTypeConfigs": weights},
        {"InstanceFleetType": "TASK", "TargetSpotCapacity": 2, "InstanceTypeConfigs": weights},
    ]
    instances = {"InstanceFleets": fleets, "InstanceCount": 0, "MasterInstanceType": "", "SlaveInstanceType": ""}
    given = limits(2, 10, unit="InstanceFleetUnits", core=4, on_demand=6)
    life = launch(Instances=instances, ManagedScalingPolicy=given).until_state("WAITING")

    def targets(life):
        told = life.ask("ListInstanceFleets", ClusterId=life.id)["InstanceFleets"]
        return {
            one["InstanceFleetType"]: (one["TargetOnDemandCapacity"], one["TargetSpotCapacity"])
            for one in told
            if one["InstanceFleetType"] != "MASTER"
        }

    life.until(lambda life: targets(life) == {"CORE": (4, 0), "TASK": (2, 4)})
    life.until(lambda life: cloudwatch.values("TotalUnitsRunning", life.id)[-1:] == [10])
    assert cloudwatch.values("CoreUnitsRequested", life.id)[-1] == 4


def test_without_a_policy_nothing_changes(launch, emr, engines, cloudwatch, monkeypatch):
    monkeypatch.setattr(watch, "SHORTEST", 0.05)
    emr.clock.set(1000)
    engines.be("spark")
    life = launch().until_state("WAITING")
    life.until(lambda life: len(cloudwatch.values("ContainerPending", life.id)) > 2)
    assert [one.requested for one in emr.history.of(Group, life.id)] == [1, 1]
