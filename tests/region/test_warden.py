"""Whatever is killed, nothing that the region owns lives on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from emrlab.processes import marked, owned
from emrlab.region import control

pytestmark = pytest.mark.region
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(600)"
LIMIT = 10.0


@pytest.fixture
def started(own, port):
    return control.up(own, port)


@pytest.fixture
def children(own, started):
    """Two processes that carry the home's mark: one ends when it is asked, one does not."""
    kind = subprocess.Popen(["sleep", "600"], env=marked(own), start_new_session=True)
    stubborn = subprocess.Popen(
        [sys.executable, "-c", STUBBORN], env=marked(own), stdout=subprocess.PIPE, start_new_session=True
    )
    assert stubborn.stdout is not None
    stubborn.stdout.readline()
    stubborn.stdout.close()
    yield [kind, stubborn]
    for child in (kind, stubborn):
        child.kill()
        child.wait()


def all_end(own, children, since):
    for child in children:
        child.wait(timeout=max(0.1, since + LIMIT - time.monotonic()))
    _, left = psutil.wait_procs(list(owned(own)), timeout=max(0.1, since + LIMIT - time.monotonic()))
    assert left == []


def test_the_region_is_killed_and_its_warden_ends_what_it_owned(own, started, children):
    os.kill(started.pid, signal.SIGKILL)
    all_end(own, children, time.monotonic())
    assert control.status(own) is None
    assert control.down(own) is False


def test_the_warden_is_killed_and_the_region_does_its_work(own, started, children):
    os.kill(started.warden_pid, signal.SIGKILL)
    all_end(own, children, time.monotonic())
    assert control.status(own) is None


def test_both_are_killed_and_the_next_up_cleans_up(own, started, children):
    os.kill(started.warden_pid, signal.SIGSTOP)  # or it would begin
    os.kill(started.pid, signal.SIGKILL)
    os.kill(started.warden_pid, signal.SIGKILL)
    said: list[str] = []
    second = control.up(own, progress=said.append)
    assert said[0].startswith("Ending ")
    for child in children:
        assert child.poll() is not None
    assert second.pid != started.pid
    assert second.endpoint == started.endpoint
    assert {process.pid for process in owned(own)} == {second.pid, second.warden_pid}


def test_a_hanging_region_is_ended_by_down(own, started):
    os.kill(started.pid, signal.SIGSTOP)
    assert control.down(own) is True
    assert list(owned(own)) == []
