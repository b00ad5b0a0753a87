"""Which state may follow which."""

from __future__ import annotations

import pytest
from botocore.session import Session

from emrlab.emr import states
from emrlab.emr.records import Cluster, Step

MODEL = Session().get_service_model("emr")
EARLY = {"AWAITING_FULFILLMENT"}


@pytest.mark.parametrize(
    ("table", "shape"),
    [
        (states.CLUSTER, "ClusterState"),
        (states.STEP, "StepState"),
        (states.INSTANCE, "InstanceState"),
        (states.GROUP, "InstanceGroupState"),
        (states.FLEET, "InstanceFleetState"),
    ],
)
def test_every_state_is_one_of_emrs(table, shape):
    known = set(MODEL.shape_for(shape).enum)
    assert set(table) <= known
    assert {after for follow in table.values() for after in follow} <= set(table)
    assert known - set(table) <= {"SHUTTING_DOWN", "ENDED"}  # of the days of job flows


@pytest.mark.parametrize("table", [states.CLUSTER, states.STEP, states.INSTANCE, states.GROUP])
def test_every_state_leads_to_an_end(table):
    lead = {state for state, after in table.items() if not after}
    assert lead
    while more := {state for state, after in table.items() if lead & set(after)} - lead:
        lead |= more
    assert lead == set(table)


def cluster(state):
    return Cluster("j-1", "j-1", state, "1", "us-east-1", "n", "emr-7.9.0", ["Hadoop"], True, False)


def test_a_state_that_cannot_follow_is_refused():
    one = cluster("TERMINATED")
    with pytest.raises(states.WrongTransition, match="RUNNING cannot follow TERMINATED"):
        one.move("RUNNING")
    assert one.state == "TERMINATED"


def test_times_are_those_of_the_changes():
    one = cluster("BOOTSTRAPPING")
    assert (one.ready, one.ended) == (None, None)
    one.move("WAITING", "ready")
    ready = one.ready
    assert ready is not None
    one.move("RUNNING")
    assert one.ready == ready  # it became ready once
    one.move("TERMINATING", "why", "USER_REQUEST")
    assert one.ended is None
    one.move("TERMINATED", one.reason, one.reason_code)
    assert one.ended >= ready
    assert (one.reason, one.reason_code) == ("why", "USER_REQUEST")


def test_a_step_that_ends_before_the_signal_has_ended_as_it_has():
    for end in ("COMPLETED", "FAILED", "CANCELLED"):
        step = Step("s-1", "j-1", "CANCEL_PENDING", "n", "command-runner.jar")
        step.move(end)
        assert step.over
