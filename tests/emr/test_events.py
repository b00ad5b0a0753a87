"""EMR's events: which changes are told, in AWS's words, and that none is lost."""

from __future__ import annotations

import json
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from emrlab.emr import events
from emrlab.emr.events import Capacity, Event, Events, Kind
from emrlab.emr.events.outbox import Outbox
from emrlab.emr.history import History
from emrlab.emr.records import Cluster, Fleet, Group, Instance, Step
from emrlab.emr.service import EmrService
from emrlab.emr.sizing import reconfiguration
from emrlab.errors import LabError
from emrlab.nodes.node import Daemon

from .conftest import ACCOUNT, Life, step

# The 20 events of "Amazon EMR events" in the EventBridge Events Reference.
KINDS = """
EMR Auto Scaling Policy State Change
EMR Step Status Change
EMR Cluster State Change
EMR Instance Group State Change
EMR Instance Fleet State Change
EMR Instance Group Status Notification
EMR Instance Fleet Status Notification
EMR Configuration Error
EMR Application Health State Change
EMR Managed Scaling Action
EMR Instance Fleet Resize
EMR Instance Group Resize
EMR Instance Fleet Cluster Start
EMR Instance Group Cluster Start
EMR Unhealthy Node Replacement
EMR Instance Fleet Provisioning
EMR Instance Group Provisioning
EMR Instance Fleet Termination
EMR Instance Group Termination
EMR Instance Fleet Update
""".strip().splitlines()
GROUP = {
    *("severity", "clusterId", "message", "market", "requestedInstanceCount", "runningInstanceCount"),
    *("instanceType", "instanceGroupType", "instanceGroupId", "state"),
}
FLEET = {
    *("severity", "clusterId", "message", "provisionedOnDemandCapacity", "provisionedSpotCapacity"),
    *("targetOnDemandCapacity", "targetSpotCapacity", "instanceFleetType", "instanceFleetId", "state"),
}
SCALING = {"severity", "clusterId", "message", "resourceId", "scalingResourceType"}
UNHEALTHY = {"severity", "clusterId", "message", "eventCode", "instanceId", "instanceGroupId", "instanceGroupType"}
# Fields of each event's detail. The first seven: EventBridge's schema registry.
FIELDS = {
    "EMR Auto Scaling Policy State Change": {*SCALING, "state"},
    "EMR Step Status Change": {"severity", "clusterId", "message", "actionOnFailure", "stepId", "name", "state"},
    "EMR Cluster State Change": {"severity", "clusterId", "message", "stateChangeReason", "name", "state"},
    "EMR Instance Group State Change": GROUP,
    "EMR Instance Fleet State Change": FLEET,
    "EMR Instance Group Status Notification": GROUP,
    "EMR Configuration Error": {"severity", "clusterId", "description"},
    "EMR Instance Fleet Status Notification": FLEET,
    "EMR Application Health State Change": {"severity", "clusterId", "message", "name", "instanceId", "state"},
    "EMR Managed Scaling Action": SCALING,
    "EMR Instance Fleet Resize": {*FLEET, "eventCode"},
    "EMR Instance Group Resize": {*GROUP, "eventCode"},
    "EMR Instance Fleet Cluster Start": FLEET,
    "EMR Instance Group Cluster Start": GROUP,
    "EMR Unhealthy Node Replacement": UNHEALTHY,
    "EMR Instance Fleet Provisioning": {*FLEET, "eventCode"},
    "EMR Instance Group Provisioning": {*GROUP, "eventCode"},
    "EMR Instance Fleet Termination": FLEET,
    "EMR Instance Group Termination": GROUP,
    "EMR Instance Fleet Update": FLEET,
}
TIME = r"20\d\d-\d\d-\d\d \d\d:\d\d UTC"


def cluster(state: str = "RUNNING", **more: Any) -> Cluster:
    return Cluster(
        **{
            "id": "j-1",
            "cluster": "j-1",
            "state": state,
            "account": ACCOUNT,
            "region": "eu-west-1",
            "name": "Development Cluster",
            "release": "emr-7.9.0",
            "applications": [],
            "keep_alive": True,
            "protected": False,
            **more,
        }
    )


def group(state: str = "RUNNING", **more: Any) -> Group:
    found = {"id": "ig-1", "cluster": "j-1", "state": state, "name": "Core", "role": "CORE"}
    return Group(**{**found, "instance_type": "m5.xlarge", "requested": 3, **more})


def fleet(state: str = "RUNNING", **more: Any) -> Fleet:
    found = {"id": "if-1", "cluster": "j-1", "state": state, "name": "Task", "role": "TASK"}
    return Fleet(**{**found, "target_on_demand": 4, "target_spot": 6, **more})


def instance(number: int = 1, state: str = "RUNNING", **more: Any) -> Instance:
    found = {"id": f"ci-{number}", "cluster": "j-1", "state": state, "group": "ig-1", "ec2": f"i-{number}"}
    return Instance(**{**found, "instance_type": "m5.xlarge", "name": "ip-127-1-2-3.ec2.internal", **more})


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    found = History(tmp_path / "emr.sqlite")
    yield found
    found.close()


@pytest.fixture
def heard() -> list[Event]:
    return []


@pytest.fixture
def told(history: History, heard: list[Event]) -> Events:
    """Events of ``history``, sent by ``sent`` alone."""
    return Events(history, heard.append)


def sent(told: Events, heard: list[Event]) -> list[Event]:
    """What was sent since the last call."""
    heard.clear()
    assert told.outbox
    told.outbox.send_some()
    return list(heard)


Moved = Callable[..., list[Event]]


@pytest.fixture
def moved(history: History, told: Events, heard: list[Event]) -> Moved:
    """``moved(record, "RESIZING", …)``: the events of its last change of state, EMR's alone."""

    def moved(record: Any, *states: str, reason: str = "", code: str = "", **changes: Any) -> list[Event]:
        if history.get(Cluster, "j-1") is None and record.id != "j-1":
            history.add(cluster())
        if history.get(type(record), record.id) is None:
            history.add(record)
        for state in states:
            sent(told, heard)
            with history.changing(type(record), record.id) as now:
                for name, value in changes.items():
                    setattr(now, name, value)
                now.move(state, reason, code)
        return [one for one in sent(told, heard) if one.source == "aws.emr"]

    return moved


def only(found: list[Event]) -> Event:
    (one,) = found
    assert set(one.detail) == FIELDS[one.kind], one.kind
    return one


def test_the_kinds_are_those_of_aws() -> None:
    assert [str(one) for one in Kind] == KINDS
    assert sorted(FIELDS) == sorted(KINDS)


# Changes of state


@pytest.mark.parametrize(
    ("before", "state", "severity", "message"),
    [
        ("BOOTSTRAPPING", "RUNNING", "INFO", f"began running steps at {TIME}."),
        ("BOOTSTRAPPING", "WAITING", "INFO", f"was created at {TIME} and is ready for use."),
        (
            "RUNNING",
            "WAITING",
            "INFO",
            f"finished running all pending steps at {TIME}. "
            "A cluster in the WAITING state may still be processing jobs.",
        ),
    ],
)
def test_a_living_cluster(moved: Moved, before: str, state: str, severity: str, message: str) -> None:
    one = only(moved(cluster(before), state, reason="Running step"))
    assert (one.kind, one.detail["severity"], one.detail["state"]) == ("EMR Cluster State Change", severity, state)
    assert one.detail["stateChangeReason"] == '{"code":"","message":"Running step"}'
    assert (one.account, one.region, one.resources) == (ACCOUNT, "eu-west-1", [])
    assert re.fullmatch(rf"Amazon EMR cluster j-1 \(Development Cluster\) {message}", one.detail["message"])


def test_a_new_cluster(moved: Moved) -> None:
    one = only(moved(cluster("STARTING", reason="Provisioning Amazon EC2 capacity")))
    assert one.detail["stateChangeReason"] == '{"code":""}'
    said = rf"Amazon EMR cluster j-1 \(Development Cluster\) was requested at {TIME} and is being created\."
    assert re.fullmatch(said, one.detail["message"])


@pytest.mark.parametrize(
    ("state", "code", "severity", "how"),
    [
        ("TERMINATED", "USER_REQUEST", "INFO", "terminated"),
        ("TERMINATED", "ALL_STEPS_COMPLETED", "INFO", "terminated"),
        ("TERMINATED", "STEP_FAILURE", "CRITICAL", "terminated"),
        ("TERMINATED_WITH_ERRORS", "BOOTSTRAP_FAILURE", "CRITICAL", "terminated with errors"),
    ],
)
def test_the_end_of_a_cluster(moved: Moved, state: str, code: str, severity: str, how: str) -> None:
    one = only(moved(cluster(), state, reason="so", code=code))
    assert one.detail["severity"] == severity
    assert json.loads(one.detail["stateChangeReason"]) == {"code": code, "message": "so"}
    said = rf"Amazon EMR Cluster j-1 \(Development Cluster\) has {how} at {TIME} with a reason of {code}\."
    assert re.fullmatch(said, one.detail["message"])


def test_what_has_no_event_of_aws_has_none_here(moved: Moved) -> None:
    assert moved(cluster("STARTING"), "BOOTSTRAPPING") == []
    assert moved(cluster(), "TERMINATING") == []
    record = Step(id="s-1", cluster="j-1", state="RUNNING", name="CustomJAR", jar="x.jar")
    assert moved(record, "INTERRUPTED") == []


def test_a_change_that_is_none_of_state_is_not_told(history: History, told: Events, heard: list[Event]) -> None:
    history.add(cluster())
    sent(told, heard)
    with history.changing(Cluster, "j-1") as now:
        now.reason = "Downloading Hadoop"
    assert sent(told, heard) == []


STEP = r"Step s-1 \(CustomJAR\)"
WHERE = r"Amazon EMR cluster j-1 \(Development Cluster\)"


@pytest.mark.parametrize(
    ("states", "severity", "message"),
    [
        ((), "INFO", f"{STEP} was added to {WHERE} at {TIME} and is pending execution."),
        (("RUNNING",), "INFO", f"{STEP} in {WHERE} started running at {TIME}."),
        (
            ("RUNNING", "COMPLETED"),
            "INFO",
            f"{STEP} in {WHERE} completed execution at {TIME}. "
            f"The step started running at {TIME} and took 0 minutes to complete.",
        ),
        (("RUNNING", "FAILED"), "ERROR", f"{STEP} in {WHERE} failed at {TIME}."),
        (
            ("RUNNING", "CANCEL_PENDING"),
            "WARN",
            f"{STEP} in {WHERE} was cancelled at {TIME} and is pending cancellation.",
        ),
        (
            ("CANCELLED",),
            "WARN",
            rf"Cancellation request has succeeded for cluster step s-1 \(CustomJAR\) in {WHERE} at {TIME}, "
            "and the step is now cancelled.",
        ),
    ],
)
def test_a_step(moved: Moved, states: tuple[str, ...], severity: str, message: str) -> None:
    record = Step(id="s-1", cluster="j-1", state="PENDING", name="CustomJAR", jar="x.jar", action_on_failure="CONTINUE")
    found = moved(record, *states)
    one = only([event for event in found if event.kind == Kind.STEP])
    assert re.fullmatch(message, one.detail["message"])
    told = {name: one.detail[name] for name in ("severity", "actionOnFailure", "stepId", "name", "state")}
    assert told == {
        "severity": severity,
        "actionOnFailure": "CONTINUE",
        "stepId": "s-1",
        "name": "CustomJAR",
        "state": (states or ("PENDING",))[-1],
    }


def test_a_group_that_grows(history: History, moved: Moved) -> None:
    history.add(cluster(), instance(1), instance(2), instance(3, "PROVISIONING"), instance(4, group="ig-2"))
    one = only(moved(group(), "RESIZING"))
    assert one.detail["message"].endswith("It is resizing from an instance count of 2 to 3.")
    assert re.match(rf"A resize for instance group ig-1 in {WHERE} started at {TIME}\.", one.detail["message"])
    assert (one.detail["requestedInstanceCount"], one.detail["runningInstanceCount"]) == ("3", "2")
    with history.changing(Instance, "ci-3") as now:
        now.move("BOOTSTRAPPING")
        now.move("RUNNING")
    one = only(moved(group(), "RUNNING"))
    said = (
        rf"The resizing operation for instance group ig-1 in {WHERE} is complete\. It now has an instance count of 3\. "
        rf"The resize started at {TIME} and took 0 minutes to complete\."
    )
    assert re.fullmatch(said, one.detail["message"])
    assert one.detail["runningInstanceCount"] == "3"


def test_a_group_that_is_reconfigured(moved: Moved) -> None:
    where = r"instance group ig-1 in the Amazon EMR cluster j-1 \(Development Cluster\)"
    one = only(moved(group(), "RECONFIGURING", version=2))
    said = rf"A reconfiguration for {where} started at {TIME}\. It is configuring from version number 1 to version "
    assert re.fullmatch(rf"{said}number 2\.", one.detail["message"])
    one = only(moved(group(), "RUNNING", last_good_version=2))
    said = (
        rf"The reconfiguration operation for {where} is complete\. The reconfiguration started at {TIME} and took "
        r"0 minutes to complete\. Current configuration version is 2\."
    )
    assert re.fullmatch(said, one.detail["message"])


def test_a_group_that_is_brought_back(moved: Moved) -> None:
    moved(group(), "RECONFIGURING", version=2)
    one = only(moved(group(), "RUNNING"))
    said = one.detail["message"]
    assert said.startswith("Configurations were successfully reverted to the previous successful version 1 for ")
    moved(group(), "RECONFIGURING")
    one = only(moved(group(), "ARRESTED"))
    assert one.detail["severity"] == "CRITICAL"
    assert one.detail["message"].startswith("Failed to revert to the previous successful version 1 for Instance group")


def test_a_group_that_is_arrested(moved: Moved) -> None:
    one = only(moved(group("RESIZING"), "SUSPENDED", reason="no room"))
    assert one.detail["severity"] == "ERROR"
    assert re.fullmatch(
        rf"Instance group ig-1 in {WHERE} was arrested at {TIME} for the following reason: no room\.",
        one.detail["message"],
    )


def test_a_group_from_its_begin_to_its_end(history: History, moved: Moved) -> None:
    history.add(cluster("BOOTSTRAPPING"))
    assert [one.kind for one in moved(group("PROVISIONING"), "BOOTSTRAPPING")] == [Kind.GROUP_START]
    assert moved(group(), "RUNNING") == []
    one = only(moved(group(), "TERMINATED"))
    assert (one.kind, one.detail["severity"]) == (Kind.GROUP_TERMINATION, "INFO")


def test_the_bid_is_told_when_there_is_one(moved: Moved) -> None:
    (one,) = moved(group(market="SPOT", bid_price="0.05"), "RESIZING")
    assert (one.detail["market"], one.detail["bidPrice"]) == ("SPOT", "0.05")


def test_a_fleet_in_all_its_states(history: History, told: Events, moved: Moved) -> None:
    history.add(
        cluster("BOOTSTRAPPING"),
        instance(1, group="if-1", weight=4),
        instance(2, group="if-1", weight=5, market="SPOT"),
    )
    assert only(moved(fleet("PROVISIONING"), "BOOTSTRAPPING")).kind == Kind.FLEET_START
    one = only(moved(fleet(), "RUNNING"))
    said = (
        rf"Provisioning for instance fleet if-1 in {WHERE} is complete\. Provisioning started at {TIME} and took "
        r"0 minutes\. The instance fleet now has On-Demand capacity of 4 and Spot capacity of 5\. "
        r"Target On-Demand capacity was 4, and target Spot capacity was 6\."
    )
    assert re.fullmatch(said, one.detail["message"])
    assert (one.detail["provisionedSpotCapacity"], one.detail["targetSpotCapacity"]) == ("5", "6")
    one = only(moved(fleet(), "RESIZING", target_spot=9))
    assert one.detail["message"].endswith(
        "The instance fleet is resizing from an On-Demand capacity of 4 to a target of 4, "
        "and from a Spot capacity of 5 to a target of 9."
    )
    one = only(moved(fleet(), "RUNNING"))
    assert "is complete. The resize started at" in one.detail["message"]
    assert one.detail["message"].endswith("Target On-Demand capacity was 4 and target Spot capacity was 9.")
    moved(fleet(), "RESIZING")
    told.say(events.capacity.resize_timeout(cluster(), fleet(), Capacity(4, 5), "SPOT", "us-east-1a"))
    late = moved(fleet(), "RUNNING")[-1]
    assert re.search(
        rf"has reached the timeout and stopped\. The resize started at {TIME} and stopped after 0 minutes\.",
        late.detail["message"],
    )
    one = only(moved(fleet(), "SUSPENDED", reason="no room"))
    assert one.detail["severity"] == "ERROR"
    assert only(moved(fleet(), "TERMINATED")).kind == Kind.FLEET_TERMINATION


def test_instances_are_told_as_ec2_tells_them(history: History, told: Events, heard: list[Event]) -> None:
    history.add(cluster())
    sent(told, heard)
    history.add(instance(1, "PROVISIONING"))
    for state in ("BOOTSTRAPPING", "RUNNING", "TERMINATED"):
        with history.changing(Instance, "ci-1") as now:
            now.move(state)
    found = sent(told, heard)
    assert [one.detail["state"] for one in found] == ["pending", "running", "shutting-down", "terminated"]
    assert {(one.source, one.kind) for one in found} == {("aws.ec2", "EC2 Instance State-change Notification")}
    assert found[0].resources == [f"arn:aws:ec2:eu-west-1:{ACCOUNT}:instance/i-1"]
    assert found[0].detail == {"instance-id": "i-1", "state": "pending"}


# What is said elsewhere

HAVE = Capacity(4, 5)
MARK = "2026-01-02 03:04 UTC"
SINCE = 1767323040.0
SAID: list[tuple[Event, str, str, str]] = [
    (events.scaling.policy_added(cluster(), group()), "PENDING", "INFO", "The policy is pending attachment."),
    (events.scaling.policy_updated(cluster(), group()), "PENDING", "INFO", "was updated at"),
    (events.scaling.policy_attached(cluster(), group()), "ATTACHED", "INFO", "was attached at"),
    (events.scaling.policy_detached(cluster(), group()), "DETACHED", "INFO", "was detached at"),
    (events.scaling.policy_failed(cluster(), group()), "FAILED", "ERROR", "could not attach and failed at"),
    (events.scaling.policy_failed(cluster(), group(), False), "FAILED", "ERROR", "could not detach and failed at"),
    (events.scaling.managed(cluster(), group(), 5, 3), "", "INFO", "ig-1 from 3 to 5 units"),
    (events.scaling.managed(cluster(), fleet(), 5, 3), "", "INFO", "if-1 from 3 to 5 units"),
    (
        events.capacity.cannot_start(cluster(), group(), 0, (), ["m5.xlarge"], ["us-east-1a"]),
        "RUNNING",
        "WARN",
        "We are not able to create your Amazon EMR cluster j-1 (Development Cluster) for Instance Group ig-1 Amazon "
        "EC2 has insufficient On-Demand capacity for Instance type [m5.xlarge] in Availability Zone [us-east-1a].",
    ),
    (
        events.capacity.cannot_start(cluster(), fleet(), HAVE, ["a", "b"], ["c"], ["us-east-1a"]),
        "RUNNING",
        "WARN",
        "Amazon EC2 has insufficient Spot capacity for Instance type [a, b] and insufficient On-Demand capacity for "
        "Instance type [c] in",
    ),
    (
        events.capacity.cannot_resize(cluster(), group(), 2, SINCE, zones=["us-east-1a"]),
        "RUNNING",
        "WARNING",
        f"that started at {MARK} for Instance Group ig-1 in EMR cluster j-1 (Development Cluster) as Amazon EC2 has "
        "insufficient On Demand capacity for Instance type [m5.xlarge] in Availability Zone [us-east-1a]. So far, the "
        "instance group has a running instance count of 2 and requested instance count was 3.",
    ),
    (
        events.capacity.cannot_resize(cluster(), fleet(), HAVE, SINCE, ["a"], (), ["us-east-1a"]),
        "RUNNING",
        "WARNING",
        "has provisioned On-Demand capacity of 4 and target On-Demand capacity was 4. Provisioned Spot capacity is 5 "
        "and target Spot capacity was 6.",
    ),
    (
        events.capacity.resize_timeout(cluster(), fleet(), HAVE, "SPOT", "us-east-1a"),
        "RUNNING",
        "ERROR",
        "the Instance Fleet has provisioned Spot capacity of 5. Target Spot capacity was 6.",
    ),
    (
        events.capacity.resize_goes_on(
            cluster(), fleet(), HAVE, "ON_DEMAND", "us-east-1a", ["a"], SINCE, (SINCE - 60, 1, 3)
        ),
        "RUNNING",
        "WARNING",
        f"We're still provisioning On-Demand capacity for the Instance Fleet resize operation that initiated at {MARK} "
        "for instance fleet ID if-1",
    ),
    (events.capacity.resize_initiated(cluster(), group(), 2), "RUNNING", "INFO", "was initiated by user at"),
    (events.capacity.resize_initiated(cluster(), fleet(), HAVE), "RUNNING", "INFO", "A resizing operation for"),
    (
        events.capacity.resize_stuck(cluster(), group(), 2, "no room"),
        "RUNNING",
        "WARNING",
        "is stuck for the following reason: no room.",
    ),
    (events.capacity.spot_given_up(cluster(), fleet(), HAVE, "us-east-1a"), "RUNNING", "INFO", "We've cancelled"),
    (events.capacity.fleet_updated(cluster(), fleet(), HAVE), "RUNNING", "INFO", "was updated at"),
    (
        events.reconfiguration.requested(cluster(), group(version=2), 3),
        "RUNNING",
        "INFO",
        "Version of requested configuration is 2.",
    ),
    (
        events.reconfiguration.blocked(cluster(), group("RESIZING", version=2), 3),
        "RESIZING",
        "INFO",
        "is temporarily blocked at",
    ),
    (
        events.reconfiguration.resize_blocked(cluster(), group("RECONFIGURING"), 3),
        "RECONFIGURING",
        "INFO",
        "Resizing operation towards instance count 3 for instance group ig-1",
    ),
    (
        events.reconfiguration.failed(cluster(), group("RECONFIGURING", version=2), 3, SINCE),
        "RECONFIGURING",
        "WARNING",
        "Failed configuration version is 2.",
    ),
    (
        events.reconfiguration.reverting(cluster(), group("RECONFIGURING", version=3), 3),
        "RECONFIGURING",
        "INFO",
        "Configurations are reverting to the previous successful version number 1 for",
    ),
    (
        events.reconfiguration.of_fleet(cluster(), fleet(), HAVE, "not reverted", "x"),
        "RUNNING",
        "CRITICAL",
        "The reconfiguration reversion failed because of x.",
    ),
    (events.reconfiguration.error(cluster(), "x is wrong"), "", "ERROR", ""),
    (
        events.health.unhealthy(cluster(), instance(), group()),
        "",
        "INFO",
        "Amazon EMR has identified that core instance [i-1 (ip-127-1-2-3.ec2.internal)] in InstanceGroup ig-1 in the "
        "Amazon EMR cluster j-1 (Development Cluster) is UNHEALTHY. Amazon EMR will attempt to recover or gracefully "
        "replace the UNHEALTHY instance.",
    ),
    (
        events.health.unhealthy(cluster(replaces_unhealthy=False), instance(), group()),
        "",
        "INFO",
        "Turn on graceful unhealthy core node replacement",
    ),
    (
        events.health.not_replaced(cluster(), instance(), group(), "no core node would remain"),
        "",
        "WARN",
        "because of no core node would remain.",
    ),
    (events.health.recovered(cluster(), instance(), group()), "", "INFO", "Amazon EMR has recovered your UNHEALTHY"),
    (
        events.health.application(cluster(), instance(), "Spark", "UNHEALTHY", "It ended."),
        "UNHEALTHY",
        "WARN",
        "It ended.",
    ),
]


@pytest.mark.parametrize(("said", "state", "severity", "part"), SAID)
def test_what_is_said(said: Event, state: str, severity: str, part: str) -> None:
    assert set(said.detail) == FIELDS[said.kind], said.kind
    assert all(isinstance(value, str) for value in said.detail.values())
    assert (said.source, said.detail["clusterId"], said.detail["severity"]) == ("aws.emr", "j-1", severity)
    assert said.detail.get("state", "") == state
    assert part in said.detail.get("message", "")


def test_every_kind_is_told_by_something() -> None:
    by_state = {Kind.CLUSTER, Kind.STEP, Kind.GROUP, Kind.FLEET, Kind.GROUP_START, Kind.FLEET_START}
    by_state |= {Kind.GROUP_TERMINATION, Kind.FLEET_TERMINATION}
    assert {str(one) for one in by_state} | {one.kind for one, *_ in SAID} == set(KINDS)


@pytest.mark.parametrize("what", events.reconfiguration.FLEET)
def test_a_fleets_reconfiguration(what: str) -> None:
    said = events.reconfiguration.of_fleet(cluster(), fleet(), HAVE, what, "x").detail["message"]
    assert re.search(r"instance fleet if-1 .*Amazon EMR cluster j-1 \(Development Cluster\)", said)
    assert "{" not in said


def test_a_spot_interruption() -> None:
    one = events.ec2.interruption(cluster(), instance())
    assert (one.source, one.kind) == ("aws.ec2", "EC2 Spot Instance Interruption Warning")
    assert one.detail == {"instance-id": "i-1", "instance-action": "terminate"}


# None is lost


def test_an_event_is_kept_with_its_change_or_not_at_all(history: History, told: Events, heard: list[Event]) -> None:
    history.add(cluster())
    sent(told, heard)

    def twice() -> None:
        with history.transaction():
            told.say(events.reconfiguration.error(cluster(), "x"))
            history.add(group("PROVISIONING"), group("PROVISIONING"))

    with pytest.raises(sqlite3.IntegrityError):
        twice()
    assert sent(told, heard) == []


def test_what_was_not_sent_before_a_kill_is_sent_by_the_next(history: History, told: Events) -> None:
    history.add(cluster("STARTING"))  # and nobody sends
    again: list[Event] = []
    outbox = Outbox(history, again.append)
    outbox.send_some()
    assert [one.kind for one in again] == [Kind.CLUSTER]
    outbox.send_some()
    assert len(again) == 1


def test_an_event_that_cannot_be_sent_holds_up_no_other(history: History) -> None:
    heard: list[str] = []

    def publish(event: Event) -> None:
        heard.append(event.detail["description"])
        if event.detail["description"] == "bad":
            raise ValueError("no")

    told = Events(history, publish)
    told.say(*(events.reconfiguration.error(cluster(), text) for text in ("bad", "good")))
    assert told.outbox
    told.outbox.send_some()
    assert heard == ["bad", "bad", "bad", "good"]
    assert history.base.execute("select count(*) from outbox").fetchone() == (0,)


def test_a_defect_in_an_event_does_not_stop_a_cluster(
    history: History, told: Events, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(told.changes, "teller", lambda record: 1 / 0)
    history.add(cluster())
    assert history.get(Cluster, "j-1")
    assert "j-1 are not told" in caplog.text


def test_without_a_listener_nothing_is_kept(history: History) -> None:
    told = Events(history, None)
    told.start()
    told.say(events.reconfiguration.error(cluster(), "x"))
    history.add(cluster())
    told.stop()
    assert history.base.execute("select name from sqlite_master where name = 'outbox'").fetchone() is None


@pytest.fixture
def listened(emr: EmrService) -> list[Event]:
    found: list[Event] = []
    emr.events = Events(emr.history, found.append)
    emr.events.start()
    return found


@pytest.fixture
def life(launch: Callable[..., Life], listened: list[Event]) -> Life:
    return launch().until_state("WAITING")


def core(life: Life) -> dict[str, Any]:
    groups = life.ask("ListInstanceGroups", ClusterId=life.id)["InstanceGroups"]
    found: dict[str, Any] = next(one for one in groups if one["InstanceGroupType"] == "CORE")
    return found


def modify(life: Life, **change: Any) -> None:
    asked = [{"InstanceGroupId": core(life)["Id"], **change}]
    life.ask("ModifyInstanceGroups", ClusterId=life.id, InstanceGroups=asked)


def messages(listened: list[Event], enough: str, *kinds: Kind) -> list[str]:
    """Of ``kinds``, as soon as one has ``enough`` in it."""
    deadline = time.monotonic() + 20
    while True:
        found = [one.detail["message"] for one in listened if one.kind in kinds]
        if any(enough in one for one in found):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.02)


def test_a_resize_is_told_from_its_wish_to_its_end(life: Life, listened: list[Event]) -> None:
    modify(life, InstanceCount=2)
    found = messages(listened, "is complete", Kind.GROUP, Kind.GROUP_NOTE)
    parts = ["was initiated by user at", "from an instance count of 1 to 2.", "It now has an instance count of 2."]
    assert len(found) == len(parts)
    assert all(part in said for part, said in zip(parts, found, strict=True))


@pytest.mark.parametrize(
    ("back", "end"), [(True, "were successfully reverted to the previous"), (False, "Failed to revert to the previous")]
)
def test_a_reconfiguration_that_fails_is_told(
    life: Life, listened: list[Event], monkeypatch: pytest.MonkeyPatch, back: bool, end: str
) -> None:
    def fails(site: Any, member: Any, changed: Any, stopped: Any) -> None:
        if member.of("yarn-site") or not back:
            raise LabError("nodemanager ended with exit status 1")

    monkeypatch.setattr(reconfiguration, "reconfigure", fails)
    modify(life, Configurations=[{"Classification": "yarn-site", "Properties": {"a": "1"}}])
    found = messages(listened, end, Kind.GROUP, Kind.GROUP_NOTE)
    parts = [
        "Version of requested configuration is 2.",
        "It is configuring from version number 1 to version number 2.",
        "Failed configuration version is 2.",
        "Configurations are reverting to the previous successful version number 1 for",
        end,
    ]
    assert len(found) == len(parts)
    assert all(part in said for part, said in zip(parts, found, strict=True))


def test_what_ec2_has_not_is_told_once_in_a_while(launch: Callable[..., Life], listened: list[Event]) -> None:
    dear = {"InstanceRole": "CORE", "InstanceType": "m5.xlarge", "InstanceCount": 1, "Market": "SPOT"}
    life = launch(
        Instances={
            "InstanceCount": None,
            "MasterInstanceType": None,
            "SlaveInstanceType": None,
            "InstanceGroups": [
                {"InstanceRole": "MASTER", "InstanceType": "m5.xlarge", "InstanceCount": 1},
                {**dear, "BidPrice": "0.0001"},
            ],
        }
    )
    (said,) = messages(listened, "We are not able to create", Kind.GROUP_PROVISIONING)
    assert "has insufficient Spot capacity for Instance type [m5.xlarge] in Availability Zone [us-east-1a]." in said
    (one,) = [event for event in listened if event.kind == Kind.GROUP_PROVISIONING]
    assert one.detail["eventCode"] == "EC2 provisioning - Insufficient Instance Capacity"
    assert (one.detail["instanceGroupType"], one.detail["severity"]) == ("CORE", "WARN")
    life.ask("TerminateJobFlows", JobFlowIds=[life.id])


def test_a_daemon_that_ends_and_comes_back_is_told_once_each(
    life: Life, emr: EmrService, listened: list[Event]
) -> None:
    node = next(one.node for one in emr.drivers[life.id].machines.site.members if one.role == "CORE")
    for name in ("datanode", "nodemanager"):
        node.start(Daemon(name, ["sleep", "1000"], name, lambda: True))
    node.daemons["nodemanager"].kill()
    assert len(messages(listened, "nodemanager of Hadoop", Kind.APPLICATION_HEALTH)) == 1
    node.start(Daemon("nodemanager", ["sleep", "1000"], "nodemanager", lambda: True))
    found = messages(listened, "runs again", Kind.APPLICATION_HEALTH)
    assert "ended with status -9." in found[0]
    assert len(found) == 2
    told = [one.detail for one in listened if one.kind == Kind.APPLICATION_HEALTH]
    assert [(one["name"], one["state"]) for one in told] == [("Hadoop", "UNHEALTHY"), ("Hadoop", "HEALTHY")]
    assert {one["instanceId"] for one in told} == {node.folder.name}


def test_a_whole_life_in_order(emr: EmrService, listened: list[Event], launch: Callable[..., Life]) -> None:
    life = launch(Steps=[step("one", "true")])
    life.until_state("WAITING")
    life.ask("TerminateJobFlows", JobFlowIds=[life.id])
    life.until_state("TERMINATED")
    deadline = time.monotonic() + 20
    while not any(one.detail.get("state") == "TERMINATED" for one in listened if one.kind == Kind.CLUSTER):
        assert time.monotonic() < deadline, listened
        time.sleep(0.02)
    of = {
        kind: [one.detail["state"] for one in listened if one.kind == kind]
        for kind in (Kind.CLUSTER, Kind.STEP, Kind.GROUP_START, Kind.GROUP_TERMINATION)
    }
    assert of[Kind.CLUSTER] == ["STARTING", "RUNNING", "WAITING", "TERMINATED"]
    assert of[Kind.STEP] == ["PENDING", "RUNNING", "COMPLETED"]
    assert of[Kind.GROUP_START] == ["BOOTSTRAPPING"] * 2
    assert of[Kind.GROUP_TERMINATION] == ["TERMINATED"] * 2
    assert {one.cluster for one in listened} == {life.id}
