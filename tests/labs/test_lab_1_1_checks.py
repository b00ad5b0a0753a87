"""Lab 1.1's checks three ways, each on a state as the API, S3 and YARN would tell it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from emrlab.course.definition import NotYet, load
from emrlab.course.state import State
from emrlab.widgets.cluster import Cluster, Node, Step

LAB = load(Path(__file__).resolve().parents[2] / "labs" / "1-clusters" / "lab_1_1.py")
TRUTH = {"EWR": 15.11, "JFK": 12.11, "LGA": 10.35}


class Seen(State):
    """A state whose clusters and rows are given."""

    def __init__(self, cluster=None, rows=None, parameters=None, arguments=None, apps=()):
        super().__init__(None, None, "bucket", parameters)
        self.cluster, self.tables = cluster, rows or {}
        self.arguments, self.apps = arguments or {}, apps

    def newest(self):
        if self.cluster is None:
            raise NotYet("I see no cluster")
        return self.cluster

    def clusters(self, *states):
        living = self.cluster is not None and self.cluster.state in states
        return [{"Id": "j-1", "Status": {"State": self.cluster.state}}] if living else []

    def rows(self, prefix):
        return self.tables.get(prefix, [])

    def step_settings(self, cluster_id, step_id):
        return self.arguments.get(step_id, [])

    def applications(self, cluster):
        return list(self.apps)


def cluster(state="WAITING", cores=2, kind="m5.xlarge", **changes):
    nodes = [Node("MASTER", "i-m", "m5.xlarge", "RUNNING")]
    nodes += [Node("CORE", f"i-{number}", kind, "RUNNING") for number in range(cores)]
    made = Cluster("j-1", "first", state, nodes=tuple(nodes), applications=("Hadoop 3.4.1", "Spark 3.5.5"))
    return replace(made, **changes)


def check(exercise, state):
    return LAB.exercise(exercise).check(state)


def not_yet(exercise, state, *told):
    with pytest.raises(NotYet) as seen:
        check(exercise, state)
    for text in told:
        assert text in str(seen.value)


CHOSEN = {"core_nodes": 2, "core_type": "m5.xlarge", "master_type": "m5.xlarge"}


def test_launch_unattempted():
    not_yet("launch", Seen(), "I see no cluster")


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        (cluster("STARTING"), "STARTING"),
        (cluster("TERMINATED", reason="Steps completed"), "TERMINATED (Steps completed)"),
        (cluster(cores=1), "I see 1 core nodes running. I expected 2"),
        (cluster(kind="r5.xlarge"), "CORE nodes of the type r5.xlarge"),
        (cluster(applications=("Hadoop 3.4.1",)), "no Spark"),
    ],
)
def test_launch_wrong(seen, told):
    not_yet("launch", Seen(seen, parameters=CHOSEN), told)


def test_launch_right():
    assert "2 core nodes" in check("launch", Seen(cluster(), parameters=CHOSEN))


SPARK, STREAM = Step("s-1", "Spark", "COMPLETED"), Step("s-2", "Streaming", "COMPLETED")
ARGUMENTS = {"s-1": ["spark-submit"], "s-2": ["hadoop-streaming", "-mapper", "mapper.py"]}


@pytest.fixture(scope="module")
def carriers():
    return load_truth("carrier")


def load_truth(column):
    import sys

    return sys.modules["emrlab_lab_1_1"].mean_delays(column)


def streaming(rows, *steps):
    return Seen(cluster(steps=steps or (SPARK, STREAM)), {"output/streaming/": rows}, arguments=ARGUMENTS)


def lines(carriers):
    return [{"key": carrier, "value": f"{delay:.2f}"} for carrier, delay in carriers.items()]


def test_the_truth_is_that_of_the_data(carriers):
    assert len(carriers) == 16
    assert carriers["F9"] == pytest.approx(20.2155, abs=1e-3)
    assert {name: round(delay, 2) for name, delay in load_truth("origin").items()} == TRUTH


def test_streaming_unattempted():
    not_yet("streaming", streaming([], SPARK), "no step that runs hadoop-streaming")


def test_streaming_wrong(carriers):
    failed = replace(STREAM, state="FAILED", reason="exit code 1")
    not_yet("streaming", streaming([], SPARK, failed), "FAILED", "exit code 1")
    not_yet("streaming", streaming(lines(carriers), STREAM), "the Spark step too")
    not_yet("streaming", streaming([{"key": "UA", "value": "2"}] * 30), "I see 1 carriers", "I expected 16")
    not_yet("streaming", streaming([]), "I see 0 carriers")
    false = [row | {"value": "0.00"} for row in lines(carriers)]
    not_yet("streaming", streaming(false), "mean delay of 0.00")


def test_streaming_right(carriers):
    assert "16 carriers" in check("streaming", streaming(lines(carriers)))


def asked(rows, apps=({"name": "lab 1.1 in a notebook", "applicationType": "SPARK"},)):
    return Seen(cluster(), {"output/by-origin/": rows}, apps=apps)


def origins(**changes):
    return [{"origin": name, "delay": delay} for name, delay in (load_truth("origin") | changes).items()]


def test_ask_unattempted():
    not_yet("ask", asked([]), "I see no rows")


def test_ask_wrong():
    not_yet("ask", asked([{"dest": "ABQ", "delay": 1.0}]), "I see the columns dest, delay")
    not_yet("ask", asked(origins()[:2]), "I see 2 groups")
    not_yet("ask", asked(origins(JFK=5.5)), "I see 5.5 for JFK")
    not_yet("ask", asked(origins(JFK=None)), "I see None for JFK")
    not_yet("ask", asked(origins(), apps=()), "lab.spark")


def test_ask_right():
    assert "EWR" in check("ask", asked(origins()))
    assert "EWR" in check("ask", Seen(cluster("TERMINATED"), {"output/by-origin/": origins()}))


def test_terminate_unattempted():
    not_yet("terminate", Seen(), "I see no cluster")
    not_yet("terminate", Seen(cluster()), "still WAITING")


def test_terminate_wrong():
    not_yet("terminate", Seen(cluster("TERMINATING")), "almost")
    not_yet("terminate", Seen(cluster("TERMINATED", code="ALL_STEPS_COMPLETED")), "ALL_STEPS_COMPLETED")
    not_yet("terminate", Seen(cluster("TERMINATED_WITH_ERRORS", code="INTERNAL_ERROR")), "INTERNAL_ERROR")


def test_terminate_right():
    assert "TERMINATED by your request" in check("terminate", Seen(cluster("TERMINATED", code="USER_REQUEST")))
