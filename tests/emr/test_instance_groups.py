"""Instance groups that change while their cluster lives. Nodes are real, engines are not."""

from __future__ import annotations

import threading

import pytest

from emrlab.emr.sizing import reconfiguration, resize
from emrlab.errors import AwsError, LabError
from emrlab.nodes.node import Daemon

from .conftest import Life

TASK = {"InstanceRole": "TASK", "InstanceType": "m5.xlarge", "InstanceCount": 2, "Name": "more"}


def groups(life: Life) -> dict[str, dict]:
    return {one["Name"]: one for one in life.ask("ListInstanceGroups", ClusterId=life.id)["InstanceGroups"]}


def core(life: Life) -> dict:
    return next(one for one in groups(life).values() if one["InstanceGroupType"] == "CORE")


def living(life: Life, group_id: str) -> list[str]:
    found = life.ask("ListInstances", ClusterId=life.id, InstanceGroupId=group_id, InstanceStates=["RUNNING"])
    return [one["Ec2InstanceId"] for one in found["Instances"]]


def settled(life: Life, group_id: str, count: int) -> Life:
    def holds(life: Life) -> bool:
        group = next(one for one in groups(life).values() if one["Id"] == group_id)
        return group["Status"]["State"] == "RUNNING" and len(living(life, group_id)) == count

    return life.until(holds)


def modify(life: Life, group_id: str, **change) -> None:
    life.ask("ModifyInstanceGroups", ClusterId=life.id, InstanceGroups=[{"InstanceGroupId": group_id, **change}])


@pytest.fixture
def life(launch):
    return launch().until_state("WAITING")


def test_task_groups_join_a_running_cluster(life):
    made = life.ask(
        "AddInstanceGroups", JobFlowId=life.id, InstanceGroups=[TASK, {**TASK, "Name": "none", "InstanceCount": 0}]
    )
    assert made["ClusterArn"].endswith(life.id)
    first, second = made["InstanceGroupIds"]
    settled(life, first, 2)
    settled(life, second, 0)
    assert groups(life)["more"]["RunningInstanceCount"] == 2
    assert life.state == "WAITING"


@pytest.mark.parametrize("role", ["CORE", "MASTER"])
def test_only_task_groups_join(life, role):
    with pytest.raises(AwsError, match="Only task instance groups"):
        life.ask("AddInstanceGroups", JobFlowId=life.id, InstanceGroups=[{**TASK, "InstanceRole": role}])


def test_a_cluster_of_one_node_takes_no_task_group(launch):
    life = launch(Instances={"InstanceCount": 1}).until_state("WAITING")
    with pytest.raises(AwsError, match="needs a core instance group"):
        life.ask("AddInstanceGroups", JobFlowId=life.id, InstanceGroups=[TASK])


def test_it_grows_and_shrinks(life):
    group_id = core(life)["Id"]
    modify(life, group_id, InstanceCount=4)
    assert core(life)["Status"]["State"] in ("RESIZING", "RUNNING")
    settled(life, group_id, 4)
    first = living(life, group_id)
    modify(life, group_id, InstanceCount=1)
    settled(life, group_id, 1)
    # Of equals the newest leave.
    assert living(life, group_id) == first[:1]
    over = life.ask("ListInstances", ClusterId=life.id, InstanceStates=["TERMINATED"])["Instances"]
    assert {one["Status"]["StateChangeReason"]["Message"] for one in over} == {
        "Instance was terminated when the cluster was resized."
    }
    assert core(life)["RequestedInstanceCount"] == 1


def test_a_shrink_policy_says_who_stays_and_who_leaves(life):
    group_id = core(life)["Id"]
    modify(life, group_id, InstanceCount=4)
    one, _, three, four = living(settled(life, group_id, 4), group_id)
    policy = {"InstanceResizePolicy": {"InstancesToTerminate": [one], "InstancesToProtect": [four, three]}}
    modify(life, group_id, InstanceCount=2, ShrinkPolicy=policy)
    settled(life, group_id, 2)
    assert living(life, group_id) == [three, four]
    assert core(life)["ShrinkPolicy"] == policy


def test_named_instances_leave_at_once_and_are_not_replaced(life, monkeypatch):
    monkeypatch.setattr(resize, "drain", lambda *_, **__: pytest.fail("it must not wait"))
    group_id = core(life)["Id"]
    modify(life, group_id, InstanceCount=3)
    one, two, three = living(settled(life, group_id, 3), group_id)
    modify(life, group_id, EC2InstanceIdsToTerminate=[one])
    settled(life, group_id, 2)
    assert living(life, group_id) == [two, three]
    assert core(life)["RequestedInstanceCount"] == 2


def test_who_wants_more_while_it_shrinks_gets_the_leaving_ones_back(life, monkeypatch):
    group_id = core(life)["Id"]
    modify(life, group_id, InstanceCount=2)
    before = living(settled(life, group_id, 2), group_id)
    drains, back = threading.Event(), []

    def drain(site, members, seconds, stopped, say):
        drains.set()
        while not stopped():
            pass
        return False

    monkeypatch.setattr(resize, "drain", drain)
    monkeypatch.setattr(resize, "readmit", lambda site, members: back.extend(members))
    modify(life, group_id, InstanceCount=1)
    assert drains.wait(10)
    modify(life, group_id, InstanceCount=2)
    settled(life, group_id, 2)
    assert living(life, group_id) == before
    assert len(back) == 1


def test_a_node_that_does_not_come_up_suspends_the_group_until_it_is_resized_again(life, monkeypatch):
    def fails(*_, **__):
        raise LabError("its DataNode ended with exit status 1")

    monkeypatch.setattr(resize, "start_up", fails)
    group_id = core(life)["Id"]
    modify(life, group_id, InstanceCount=2)
    life.until(lambda one: core(one)["Status"]["State"] == "SUSPENDED")
    reason = core(life)["Status"]["StateChangeReason"]
    assert reason == {"Code": "INSTANCE_FAILURE", "Message": "its DataNode ended with exit status 1"}
    assert len(living(life, group_id)) == 1
    assert life.state == "WAITING"
    monkeypatch.setattr(resize, "start_up", lambda *_, **__: None)
    modify(life, group_id, InstanceCount=2)
    settled(life, group_id, 2)


def test_a_cluster_without_addresses_says_so_and_lives_on(life, emr, monkeypatch):
    said = []
    monkeypatch.setattr(emr.events, "say", lambda *events: said.extend(events))
    claimed = emr.drivers[life.id].machines.range
    monkeypatch.setattr(claimed, "_next", iter(()))
    group_id = core(life)["Id"]
    modify(life, group_id, InstanceCount=2)
    life.until(lambda one: core(one)["Status"]["State"] == "SUSPENDED")
    assert "has had 240 nodes" in core(life)["Status"]["StateChangeReason"]["Message"]
    (error,) = [one for one in said if one.kind == "EMR Configuration Error"]
    assert error.detail["severity"] == "ERROR"
    assert "has had 240 nodes" in error.detail["description"]
    assert life.state == "WAITING"


def test_a_bootstrap_action_runs_on_nodes_that_join(launch, bucket):
    bucket.objects["s3://bucket/mark.sh"] = b"echo here > $HOME/mark"
    action = {"Name": "mark", "ScriptBootstrapAction": {"Path": "s3://bucket/mark.sh"}}
    life = launch(BootstrapActions=[action]).until_state("WAITING")
    group_id = core(life)["Id"]
    modify(life, group_id, InstanceCount=2)
    settled(life, group_id, 2)
    assert sum(uri.endswith("bootstrap-actions/1/controller.gz") for uri in bucket.objects) in (0, 3)  # at the end
    life.ask("TerminateJobFlows", JobFlowIds=[life.id])
    life.until_state("TERMINATED")
    assert sum(uri.endswith("bootstrap-actions/1/controller.gz") for uri in bucket.objects) == 3


def test_an_instance_that_dies_is_replaced(life, emr):
    driver = emr.drivers[life.id]
    group_id = core(life)["Id"]
    (old,) = living(life, group_id)
    node = next(one for one in driver.machines.nodes if one.folder.name == old)
    node.start(Daemon("datanode", ["sleep", "100"], "log", lambda: True))
    node.daemons["datanode"].kill()
    life.until(lambda one: living(one, group_id) not in ([], [old]))
    settled(life, group_id, 1)
    (gone,) = life.ask("ListInstances", ClusterId=life.id, InstanceStates=["TERMINATED"])["Instances"]
    assert gone["Ec2InstanceId"] == old
    assert gone["Status"]["StateChangeReason"]["Code"] == "INSTANCE_FAILURE"
    assert not node.path("mnt").exists()
    assert node.path("var", "log").exists()


def test_a_cluster_that_ends_while_a_group_grows_leaves_nothing(life, monkeypatch):
    joins = threading.Event()

    def slow(site, members, stopped):
        joins.set()
        while not stopped():
            pass

    monkeypatch.setattr(resize, "start_up", slow)
    modify(life, core(life)["Id"], InstanceCount=3)
    assert joins.wait(10)
    life.ask("TerminateJobFlows", JobFlowIds=[life.id])
    life.until_state("TERMINATED")
    found = life.ask("ListInstances", ClusterId=life.id)["Instances"]
    assert {one["Status"]["State"] for one in found} == {"TERMINATED"}
    assert groups(life)["Core Instance Group"]["Status"]["State"] == "TERMINATED"


SITE = {"Classification": "yarn-site", "Properties": {"a": "1", "b": "2"}}


def test_configurations_are_applied_and_counted(life, monkeypatch):
    asked = []
    monkeypatch.setattr(
        reconfiguration, "reconfigure", lambda site, member, changed, stopped: asked.append((member, changed))
    )
    group_id = core(life)["Id"]
    modify(life, group_id, Configurations=[SITE])
    settled(life, group_id, 1)
    ((member, changed),) = asked
    assert changed == {"yarn-site"}
    assert member.of("yarn-site") == {"a": "1", "b": "2"}
    more = {"Classification": "yarn-site", "Properties": {"b": "3"}}
    modify(life, group_id, Configurations=[more], ReconfigurationType="MERGE")
    settled(life, group_id, 1)
    told = core(life)
    assert told["Configurations"] == [{"Classification": "yarn-site", "Properties": {"a": "1", "b": "3"}}]
    assert (told["ConfigurationsVersion"], told["LastSuccessfullyAppliedConfigurationsVersion"]) == (3, 3)
    modify(life, group_id, Configurations=[more], ReconfigurationType="OVERWRITE")
    settled(life, group_id, 1)
    assert core(life)["Configurations"] == [more]


@pytest.mark.parametrize(("back", "state"), [(True, "RUNNING"), (False, "ARRESTED")])
def test_configurations_that_do_not_work_are_taken_back(life, monkeypatch, back, state):
    def fails(site, member, changed, stopped):
        if member.of("yarn-site") or not back:
            raise LabError("nodemanager ended with exit status 1")

    monkeypatch.setattr(reconfiguration, "reconfigure", fails)
    modify(life, core(life)["Id"], Configurations=[SITE])
    life.until(lambda one: core(one)["Status"]["State"] == state)
    told = core(life)
    assert "nodemanager ended with exit status 1" in told["Status"]["StateChangeReason"]["Message"]
    # What is in force again has a version of its own.
    assert (told["ConfigurationsVersion"], told["LastSuccessfullyAppliedConfigurationsVersion"]) == (3, 1)
    assert told["LastSuccessfullyAppliedConfigurations"] == []
    assert told["Configurations"] == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"InstanceCount": 0}, "needs at least 1"),
        ({"InstanceCount": -1}, "needs at least 1"),
        ({"InstanceCount": 1000}, "more than 100 instances"),
        ({"EC2InstanceIdsToTerminate": ["i-0"]}, "i-0 is not one of"),
        ({"ShrinkPolicy": {"InstanceResizePolicy": {"InstancesToProtect": ["i-1"]}}, "InstanceCount": 1}, "i-1 is not"),
        ({"InstanceCount": 2, "Configurations": [SITE]}, "exclude each other"),
        ({"Configurations": [{"Classification": "nothing"}]}, "belongs to none of"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(life, change, said):
    before = core(life)
    with pytest.raises(AwsError, match=said):
        modify(life, before["Id"], **change)
    assert core(life) == before


def test_the_master_keeps_its_size(life):
    master = next(one for one in groups(life).values() if one["InstanceGroupType"] == "MASTER")
    with pytest.raises(AwsError, match="master instance group cannot be resized"):
        modify(life, master["Id"], InstanceCount=2)


def test_other_peoples_groups_are_not_there(life):
    change = [{"InstanceGroupId": core(life)["Id"], "InstanceCount": 2}]
    with pytest.raises(AwsError, match="is not valid"):
        life.ask("ModifyInstanceGroups", account="210987654321", InstanceGroups=change)
    with pytest.raises(AwsError, match="is not valid"):
        life.ask("ModifyInstanceGroups", ClusterId="j-OTHER", InstanceGroups=change)
    with pytest.raises(AwsError, match="is not valid"):
        modify(life, "ig-NONE", InstanceCount=2)


def test_a_cluster_that_is_over_takes_no_change(life):
    group_id = core(life)["Id"]
    life.ask("TerminateJobFlows", JobFlowIds=[life.id])
    life.until_state("TERMINATED")
    with pytest.raises(AwsError, match="only be modified when the job flow is running or waiting"):
        modify(life, group_id, InstanceCount=2)
    with pytest.raises(AwsError, match="only be modified when the job flow is running or waiting"):
        life.ask("AddInstanceGroups", JobFlowId=life.id, InstanceGroups=[TASK])
