"""Starting daemons, with small programs for daemons: order, readiness, and what is said of those that fail."""

from __future__ import annotations

import time

import pytest

from emrlab.applications import launch
from emrlab.applications.application import Member
from emrlab.applications.launch import Cancelled, Launch, in_parallel
from emrlab.errors import LabError
from emrlab.nodes.node import Daemon, Node

from .conftest import capacity


@pytest.fixture
def one(tmp_path):
    node = Node(tmp_path / "i-1", "127.77.0.10", "ip-127-77-0-10.ec2.internal", "launch-test")
    node.make()
    yield Member(node, "CORE", capacity())
    node.stop(0.5)
    assert node.processes() == []


def started(member, *daemons, seconds=10, stopped=lambda: False):
    found = Launch(stopped, time.monotonic() + seconds)
    for daemon in daemons:
        found.add(member, daemon)
    found.begin()
    return found


def all_ready(found):
    found.wait("ready", lambda: all(one.ready for one in found.needed))


def shell(name, script, ready=lambda: True, **options):
    return Daemon(name, ["bash", "-c", script], f"{name}.log", ready, **options)


def test_a_daemon_is_started_after_what_it_must_come_after(one):
    mark = one.node.path("mnt", "mark")
    first = shell("first", f"sleep 0.2; touch {mark}; exec sleep 60", mark.exists)
    second = shell("second", f"[ -e {mark} ] && exec sleep 60", mark.exists, after=mark.exists)
    all_ready(started(one, second, first))
    assert one.node.ended("second") is None


def test_a_daemon_that_ends_is_told_with_node_status_and_the_reason_in_its_log(one):
    frames = "; ".join("echo '\tat org.apache.Some.method(Some.java:1)'" for _ in range(30))
    script = f"echo 'Caused by: a wrong value'; {frames}; echo 'SHUTDOWN_MSG: bye'; exit 7"
    with pytest.raises(LabError) as caught:
        all_ready(started(one, shell("datanode", script, lambda: False)))
    said = str(caught.value)
    assert "datanode on ip-127-77-0-10.ec2.internal (core node) ended with exit status 7" in said
    assert said.endswith("Caused by: a wrong value")


def test_a_daemon_that_never_answers_is_told(one):
    with pytest.raises(LabError, match=r"quiet on .* runs but does not answer in time"):
        all_ready(started(one, shell("quiet", "exec sleep 60", lambda: False), seconds=0.3))


def test_a_daemon_whose_turn_never_comes_is_told(one):
    with pytest.raises(LabError, match=r"late on .* was not started"):
        all_ready(started(one, shell("late", "exec sleep 60", after=lambda: False), seconds=0.3))


def test_a_daemon_that_cannot_be_started_is_told(one):
    with pytest.raises(LabError, match=r"absent on .* could not be started"):
        all_ready(started(one, Daemon("absent", ["/no/such/program"], "absent.log", lambda: True)))


def test_a_daemon_nobody_needs_may_fail(one):
    all_ready(started(one, shell("extra", "exit 1", lambda: False, needed=False), shell("main", "exec sleep 60")))


def test_calling_off_ends_the_waiting(one):
    begun = time.monotonic()
    with pytest.raises(Cancelled):
        all_ready(started(one, shell("quiet", "exec sleep 60", lambda: False), stopped=lambda: True))
    assert time.monotonic() - begun < 5


def test_work_on_many_nodes_raises_the_first_error_when_all_are_through(one):
    seen = []

    def work(number):
        seen.append(number)
        if number == 1:
            raise LabError("one")

    with pytest.raises(LabError, match=r"one"):
        in_parallel(work, [0, 1, 2])
    assert sorted(seen) == [0, 1, 2]


def test_a_full_disk_is_an_error_for_people(one, monkeypatch):
    def full():
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(one.node, "make", full)
    with pytest.raises(LabError, match=r"No space left on device.*Free some space"):
        launch.install([], None, one)
