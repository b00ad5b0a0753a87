"""Clusters of instance fleets, and the spot market that gives and takes. Nodes are real, engines are not."""

from __future__ import annotations

import threading

import pytest

from emrlab.emr import driver
from emrlab.emr.chores import health, spot
from emrlab.emr.records import Instance
from emrlab.emr.sizing import reconfiguration, resize
from emrlab.errors import AwsError, LabError

from .conftest import Life

DEAR, CHEAP = 99.0, 0.01
MASTER = {
    "InstanceFleetType": "MASTER",
    "TargetOnDemandCapacity": 1,
    "InstanceTypeConfigs": [{"InstanceType": "m5.xlarge"}],
}
CORE = {
    "InstanceFleetType": "CORE",
    "Name": "workers",
    "TargetOnDemandCapacity": 2,
    "TargetSpotCapacity": 2,
    "InstanceTypeConfigs": [
        {"InstanceType": "m5.xlarge", "WeightedCapacity": 1},
        {"InstanceType": "m5.2xlarge", "WeightedCapacity": 2},
    ],
}
TIMEOUT = {"TimeoutDurationMinutes": 5, "TimeoutAction": "SWITCH_TO_ON_DEMAND"}


class Market:
    """One price for all spot instances."""

    def __init__(self) -> None:
        self.now = CHEAP

    def price(self, instance_type, zone, at=None):
        return self.now

    def depth(self, instance_type, zone, at=None):
        return 100


@pytest.fixture
def market(monkeypatch):
    found = Market()
    monkeypatch.setattr(driver, "market", lambda home: found)
    return found


@pytest.fixture
def fast(emr):
    """Five lab minutes in a third of a second."""
    emr.clock.set(1000)


def fleets(*asked: dict, **more) -> dict:
    instances = {"InstanceCount": None, "MasterInstanceType": None, "SlaveInstanceType": None}
    return {"Instances": {**instances, "InstanceFleets": list(asked), **more}}


@pytest.fixture
def start(launch, market):
    def start(*asked: dict, **more) -> Life:
        return launch(**fleets(*asked, **more))

    return start


def told(life: Life) -> dict[str, dict]:
    return {
        one["InstanceFleetType"]: one for one in life.ask("ListInstanceFleets", ClusterId=life.id)["InstanceFleets"]
    }


def instances(life: Life, role: str = "CORE", *states: str) -> list[dict]:
    found = life.ask(
        "ListInstances", ClusterId=life.id, InstanceFleetType=role, InstanceStates=list(states or ("RUNNING",))
    )
    return found["Instances"]


def capacity(life: Life, role: str = "CORE") -> tuple[int, int]:
    fleet = told(life)[role]
    return fleet["ProvisionedOnDemandCapacity"], fleet["ProvisionedSpotCapacity"]


def settled(life: Life, *units: int, role: str = "CORE") -> Life:
    return life.until(lambda one: told(one)[role]["Status"]["State"] == "RUNNING" and capacity(one, role) == units)


def modify(life: Life, **change) -> None:
    change["InstanceFleetId"] = told(life)["CORE"]["Id"]
    life.ask("ModifyInstanceFleet", ClusterId=life.id, InstanceFleet=change)


def test_a_cluster_of_fleets_has_the_capacity_it_asked_for(start):
    life = start(MASTER, CORE).until_state("WAITING")
    assert life.told["InstanceCollectionType"] == "INSTANCE_FLEET"
    assert capacity(life) == (2, 2)
    assert capacity(life, "MASTER") == (1, 0)
    one = told(life)["CORE"]
    assert (one["Name"], one["Status"]["State"]) == ("workers", "RUNNING")
    assert [each["WeightedCapacity"] for each in one["InstanceTypeSpecifications"]] == [1, 2]
    assert {each["Market"] for each in instances(life)} == {"ON_DEMAND", "SPOT"}
    assert {each["InstanceFleetId"] for each in instances(life)} == {one["Id"]}
    with pytest.raises(AwsError, match="uses instance fleets"):
        life.ask("ListInstanceGroups", ClusterId=life.id)
    with pytest.raises(AwsError, match="uses instance fleets"):
        life.ask(
            "AddInstanceGroups",
            JobFlowId=life.id,
            InstanceGroups=[{"InstanceRole": "TASK", "InstanceType": "m5.xlarge", "InstanceCount": 1}],
        )


def test_a_cluster_of_groups_has_no_fleets(launch):
    life = launch().until_state("WAITING")
    for operation, more in (
        ("ListInstanceFleets", {}),
        ("AddInstanceFleet", {"InstanceFleet": {**CORE, "InstanceFleetType": "TASK"}}),
        ("ModifyInstanceFleet", {"InstanceFleet": {"InstanceFleetId": "if-1"}}),
    ):
        with pytest.raises(AwsError, match="uses instance groups"):
            life.ask(operation, ClusterId=life.id, **more)


def test_it_waits_for_the_market(start, market):
    market.now = DEAR
    life = start(MASTER, CORE)
    life.until(lambda one: "2 of the fleet's units are missing" in one.reason.get("Message", ""))
    assert life.state == "STARTING"
    market.now = CHEAP
    settled(life.until_state("WAITING"), 2, 2)


def test_what_spot_does_not_give_in_time_becomes_on_demand(start, market, fast):
    market.now = DEAR
    life = start(MASTER, {**CORE, "LaunchSpecifications": {"SpotSpecification": TIMEOUT}}).until_state("WAITING")
    assert capacity(life) == (4, 0)


def test_or_the_cluster_ends(start, market, fast):
    market.now = DEAR
    limits = {"SpotSpecification": {**TIMEOUT, "TimeoutAction": "TERMINATE_CLUSTER"}}
    life = start(MASTER, {**CORE, "LaunchSpecifications": limits}).until_state("TERMINATED_WITH_ERRORS")
    assert life.reason["Code"] == "INSTANCE_FLEET_TIMEOUT"
    assert "lacks 2 units" in life.reason["Message"]


def test_a_waiting_cluster_can_be_ended(start, market):
    market.now = DEAR
    life = start(MASTER, CORE)
    life.until(lambda one: "units are missing" in one.reason.get("Message", ""))
    life.ask("TerminateJobFlows", JobFlowIds=[life.id])
    life.until_state("TERMINATED")


def test_it_is_resized_by_its_targets(start):
    life = start(MASTER, CORE).until_state("WAITING")
    modify(life, TargetOnDemandCapacity=3, TargetSpotCapacity=0)
    settled(life, 3, 0)
    modify(life, TargetSpotCapacity=4)
    settled(life, 3, 4)
    modify(life, TargetOnDemandCapacity=0)
    settled(life, 0, 4)


def test_a_resize_that_takes_too_long_stops_and_is_not_tried_again(start, market, fast):
    limits = {"SpotResizeSpecification": {"TimeoutDurationMinutes": 5}}
    life = start(MASTER, {**CORE, "ResizeSpecifications": limits}).until_state("WAITING")
    market.now = 0.05  # what runs may stay, no more is to be had
    few = [{"InstanceType": "m5.xlarge", "BidPrice": "0.04"}]
    modify(life, TargetSpotCapacity=5, InstanceTypeConfigs=few)
    life.until(lambda one: told(one)["CORE"]["Status"]["State"] == "RESIZING")
    settled(life, 2, 2)
    assert told(life)["CORE"]["TargetSpotCapacity"] == 5


def test_a_task_fleet_joins_once(start):
    life = start(MASTER, CORE).until_state("WAITING")
    task = {**CORE, "InstanceFleetType": "TASK", "Name": "more"}
    made = life.ask("AddInstanceFleet", ClusterId=life.id, InstanceFleet=task)
    assert made["ClusterArn"].endswith(life.id)
    settled(life, 2, 2, role="TASK")
    with pytest.raises(AwsError, match="has a task instance fleet already"):
        life.ask("AddInstanceFleet", ClusterId=life.id, InstanceFleet=task)
    with pytest.raises(AwsError, match="Only a task instance fleet"):
        life.ask("AddInstanceFleet", ClusterId=life.id, InstanceFleet=CORE)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"TargetOnDemandCapacity": 0, "TargetSpotCapacity": 0}, "at least 1"),
        ({"TargetOnDemandCapacity": 1000}, "more than 100 instances"),
        ({"InstanceTypeConfigs": [{"InstanceType": "m5.nothing"}]}, "not supported"),
        ({"ResizeSpecifications": {"SpotResizeSpecification": {"TimeoutDurationMinutes": 1}}}, "from 5 to 10080"),
        ({"InstanceFleetId": "if-NONE"}, "is not valid"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(start, change, said):
    life = start(MASTER, CORE).until_state("WAITING")
    before = told(life)["CORE"]
    asked = {"InstanceFleetId": before["Id"], **change}
    with pytest.raises(AwsError, match=said):
        life.ask("ModifyInstanceFleet", ClusterId=life.id, InstanceFleet=asked)
    assert told(life)["CORE"] == before


def test_configurations_of_its_types_are_applied_to_what_runs(start, monkeypatch):
    asked = []
    monkeypatch.setattr(
        reconfiguration, "reconfigure", lambda site, member, changed, stopped: asked.append((member, changed))
    )
    life = start(MASTER, CORE).until_state("WAITING")
    sites = [{"Classification": "yarn-site", "Properties": {"a": "1"}}]
    types = [{**one, "Configurations": sites} for one in CORE["InstanceTypeConfigs"]]
    modify(life, InstanceTypeConfigs=types)
    settled(life, 2, 2)
    assert len(asked) == len(instances(life))
    assert {tuple(changed) for _, changed in asked} == {("yarn-site",)}
    assert asked[0][0].of("yarn-site") == {"a": "1"}
    assert told(life)["CORE"]["InstanceTypeSpecifications"][0]["Configurations"] == sites


def test_fleets_and_groups_exclude_each_other(launch, market):
    with pytest.raises(AwsError, match="InstanceFleets and InstanceCount exclude each other"):
        launch(**fleets(MASTER, CORE, InstanceCount=3))


# Spot


def test_who_is_outbid_gets_notice_and_goes_when_it_has_run_out(start, market, emr, monkeypatch):
    told_yarn = threading.Event()
    monkeypatch.setattr(spot, "exclude", lambda *_: told_yarn.set())
    life = start(MASTER, CORE).until_state("WAITING")
    emr.clock.set(1)
    market.now = DEAR
    spots = {one["Id"] for one in instances(life) if one["Market"] == "SPOT"}

    def noticed(_: Life) -> bool:
        return all(emr.history.get(Instance, one).notice for one in spots)

    life.until(noticed)
    assert told_yarn.wait(10)
    assert capacity(life) == (2, 2)  # it has two lab minutes
    for one in spots:
        with emr.history.changing(Instance, one) as now:
            now.notice -= 120
    life.until(lambda one: {each["Id"] for each in instances(one, "CORE", "TERMINATED")} == spots)
    gone = instances(life, "CORE", "TERMINATED")[0]["Status"]["StateChangeReason"]
    assert gone["Code"] == "INSTANCE_FAILURE"
    assert "spot instance was interrupted" in gone["Message"]
    assert capacity(life) == (2, 0)
    assert life.state == "WAITING"
    market.now = CHEAP
    settled(life, 2, 2)


def test_a_spot_group_pays_up_to_its_bid(launch, market, emr, monkeypatch):
    monkeypatch.setattr(spot, "exclude", lambda *_: None)
    emr.clock.set(1000)
    task = {
        "InstanceRole": "TASK",
        "InstanceType": "m5.xlarge",
        "InstanceCount": 2,
        "Market": "SPOT",
        "BidPrice": "0.05",
    }
    life = launch().until_state("WAITING")
    life.ask("AddInstanceGroups", JobFlowId=life.id, InstanceGroups=[task])

    def group() -> dict:
        return life.ask("ListInstanceGroups", ClusterId=life.id)["InstanceGroups"][-1]

    life.until(lambda _: group()["RunningInstanceCount"] == 2)
    market.now = 0.06
    life.until(lambda _: group()["RunningInstanceCount"] == 0)
    life.until(lambda _: "the bid is 0.0500" in group()["Status"]["StateChangeReason"].get("Message", ""))
    market.now = 0.04
    life.until(lambda _: group()["RunningInstanceCount"] == 2)


def test_a_cluster_whose_master_is_taken_ends(start, market, emr, monkeypatch):
    emr.clock.set(1000)
    life = start({**MASTER, "TargetOnDemandCapacity": 0, "TargetSpotCapacity": 1}).until_state("WAITING")
    market.now = DEAR
    life.until_state("TERMINATED_WITH_ERRORS")
    assert life.reason["Code"] == "INSTANCE_FAILURE"
    assert "The master failed" in life.reason["Message"]


@pytest.mark.parametrize(
    ("group", "said"),
    [
        ({"Market": "SPOT", "BidPrice": "cheap"}, "BidPrice 'cheap' is not valid"),
        ({"Market": "SPOT", "BidPrice": "-1"}, "BidPrice '-1' is not valid"),
        ({"Market": "ON_DEMAND", "BidPrice": "0.1"}, "BidPrice is for instance groups whose Market is SPOT"),
    ],
)
def test_bids_that_cannot_be_are_refused(launch, group, said):
    life = launch().until_state("WAITING")
    asked = {"InstanceRole": "TASK", "InstanceType": "m5.xlarge", "InstanceCount": 1, **group}
    with pytest.raises(AwsError, match=said):
        life.ask("AddInstanceGroups", JobFlowId=life.id, InstanceGroups=[asked])


# Unhealthy nodes


@pytest.fixture
def sick(monkeypatch):
    """Names of nodes that YARN finds unhealthy."""
    names: set[str] = set()
    monkeypatch.setattr(health, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(health, "yarn_nodes", lambda site: {name: {"state": "UNHEALTHY"} for name in names})
    return names


def core(life: Life) -> list[dict]:
    return life.ask("ListInstances", ClusterId=life.id, InstanceGroupTypes=["CORE"], InstanceStates=["RUNNING"])[
        "Instances"
    ]


def test_a_node_that_stays_unhealthy_is_replaced_by_another_and_leaves_gracefully(launch, emr, sick):
    life = launch().until_state("WAITING")
    (old,) = core(life)
    emr.clock.set(1000)  # 45 minutes: 2.7 s
    sick.add(old["PrivateDnsName"])
    counts = []
    life.until(lambda one: counts.append(len(core(one))) or old["Id"] not in [each["Id"] for each in core(one)])
    assert 0 not in counts  # another one is there before it leaves
    assert len(core(life)) == 1
    assert life.ask("ListInstanceGroups", ClusterId=life.id)["InstanceGroups"][1]["RequestedInstanceCount"] == 1


def test_that_a_node_cannot_be_replaced_is_told_once(launch, emr, sick, monkeypatch):
    said = []
    monkeypatch.setattr(emr.events, "say", lambda *events: said.extend(events))

    def fails(*_, **__):
        raise LabError("no room for another DataNode")

    monkeypatch.setattr(resize, "start_up", fails)
    life = launch().until_state("WAITING")
    (old,) = core(life)
    emr.clock.set(1000)
    sick.add(old["PrivateDnsName"])

    def told(_: Life) -> list:
        return [one for one in said if one.detail.get("eventCode") == "Unhealthy core node not replaced"]

    life.until(told)
    assert "because of no room for another DataNode." in told(life)[0].detail["message"]
    assert [one["Id"] for one in core(life)] == [old["Id"]]
    assert len(told(life)) == 1


def test_a_node_that_recovers_stays(launch, emr, sick):
    life = launch().until_state("WAITING")
    (one,) = core(life)
    sick.add(one["PrivateDnsName"])
    life.until(lambda _: emr.history.get(Instance, one["Id"]).unhealthy is not None)
    sick.clear()
    life.until(lambda _: emr.history.get(Instance, one["Id"]).unhealthy is None)
    assert core(life) == [one]


def test_a_cluster_may_keep_its_unhealthy_nodes(launch, emr, sick):
    life = launch(Instances={"UnhealthyNodeReplacement": False}).until_state("WAITING")
    (one,) = core(life)
    emr.clock.set(1000)
    sick.add(one["PrivateDnsName"])
    life.until(lambda _: emr.history.get(Instance, one["Id"]).unhealthy is not None)
    with emr.history.changing(Instance, one["Id"]) as now:
        now.unhealthy -= 3600
    seen = []
    life.until(lambda _: seen.append(1) or len(seen) > 20)
    assert [each["Id"] for each in core(life)] == [one["Id"]]
