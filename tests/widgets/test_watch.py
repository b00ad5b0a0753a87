from __future__ import annotations

import pytest

from emrlab.errors import LabError
from emrlab.widgets.watch import watch, watch_step
from tests.widgets.conftest import some_cluster, some_step


def reading(*clusters):
    """A ``read`` that gives one cluster after the other."""
    left = list(clusters)
    return lambda emr, cluster_id: left.pop(0)


def no_pause(_):
    pass


def test_watching_returns_at_the_wanted_state(capsys):
    clusters = (some_cluster("STARTING"), some_cluster("BOOTSTRAPPING"), some_cluster("WAITING"))
    assert watch(None, "j-1A", read=reading(*clusters), pause=no_pause).state == "WAITING"
    assert capsys.readouterr().out == "Cluster first: WAITING. 1 master node, 2 core nodes.\n"


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("BOOTSTRAP_FAILURE", "s3://b/logs/j-1A/node/"),
        ("ALL_STEPS_COMPLETED", "KeepJobFlowAliveWhenNoSteps=True"),
        ("INTERNAL_ERROR", "emrlab doctor"),
    ],
)
def test_a_cluster_that_ends_instead_is_explained(code, told, capsys):
    ended = some_cluster("TERMINATED_WITH_ERRORS", code=code, reason="On the master instance, it broke")
    with pytest.raises(LabError, match="it broke") as error:
        watch(None, "j-1A", read=reading(ended), pause=no_pause)
    assert told in str(error.value)
    assert "TERMINATED_WITH_ERRORS" in capsys.readouterr().out


def test_watching_does_not_last_for_ever():
    with pytest.raises(LabError, match="run the cell again"):
        watch(None, "j-1A", timeout=-1, read=reading(some_cluster("STARTING")), pause=no_pause)


def test_a_step_is_watched_to_its_end():
    running, done = (some_cluster("RUNNING", steps=(some_step(state),)) for state in ("RUNNING", "COMPLETED"))
    assert watch_step(None, "j-1A", "s-1A", read=reading(running, done), pause=no_pause).state == "COMPLETED"


def test_a_failed_step_is_explained_with_its_log():
    step = some_step("FAILED", reason="Unknown Error.", log="s3://b/logs/j-1A/steps/s-1A/stderr.gz")
    with pytest.raises(LabError, match=r"Unknown Error.*stderr\.gz"):
        watch_step(None, "j-1A", "s-1A", read=reading(some_cluster(steps=(step,))), pause=no_pause)


def test_a_step_of_a_cluster_that_ends_is_not_waited_for():
    cluster = some_cluster("TERMINATED", steps=(some_step("CANCELLED"),))
    with pytest.raises(LabError, match="CANCELLED"):
        watch_step(None, "j-1A", "s-1A", read=reading(cluster), pause=no_pause)


def test_an_unknown_step_is_told():
    with pytest.raises(LabError, match="no step s-9"):
        watch_step(None, "j-1A", "s-9", read=reading(some_cluster()), pause=no_pause)
