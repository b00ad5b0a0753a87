"""What EMR remembers."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from emrlab.emr.history import History
from emrlab.emr.records import Cluster, Group, Step


def cluster(name="j-1", **more):
    return Cluster(name, name, "STARTING", "1", "us-east-1", "n", "emr-7.9.0", ["Hadoop"], True, False, **more)


@pytest.fixture
def history(tmp_path):
    found = History(tmp_path / "emr.sqlite")
    yield found
    found.close()


def test_what_was_added_is_there_after_a_restart(tmp_path):
    history = History(tmp_path / "emr.sqlite")
    one = cluster(tags={"é": "ü"}, configurations=[{"Classification": "core-site", "Properties": {"a": "b"}}])
    history.add(one, Step("s-1", "j-1", "PENDING", "n", "x.jar", arguments=["a b"]))
    history.close()
    again = History(tmp_path / "emr.sqlite")
    assert again.get(Cluster, "j-1") == one
    assert [step.arguments for step in again.of(Step, "j-1")] == [["a b"]]
    again.close()


def test_what_was_answered_survives_a_kill(tmp_path):
    file = tmp_path / "emr.sqlite"
    program = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom emrlab.emr.history import History\n"
        "from emrlab.emr.records import Step\nhistory = History(Path(sys.argv[1]))\n"
        "history.add(Step('s-1', 'j-1', 'PENDING', 'n', 'x.jar'))\nos.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(file)], check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == -9
    history = History(file)
    assert [step.id for step in history.of(Step, "j-1")] == ["s-1"]
    history.close()


def test_a_record_that_was_handed_out_changes_nothing(history):
    history.add(cluster())
    history.get(Cluster, "j-1").name = "other"
    assert history.get(Cluster, "j-1").name == "n"


def test_a_change_is_saved_at_the_end_of_its_block(history):
    history.add(cluster())
    with history.changing(Cluster, "j-1") as one:
        one.move("BOOTSTRAPPING", "why")
    assert [found.reason for found in history.in_states(Cluster, ["BOOTSTRAPPING"])] == ["why"]


def test_a_block_that_fails_changes_nothing(history):
    history.add(cluster())

    def fail():
        with history.transaction(), history.changing(Cluster, "j-1") as one:
            one.move("BOOTSTRAPPING")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert history.get(Cluster, "j-1").state == "STARTING"
    history.add(cluster("j-2"))  # and the next block works


def test_an_unknown_id_is_a_key_error_and_nothing_is_made(history):
    with pytest.raises(KeyError), history.changing(Cluster, "j-none"):
        pass
    assert history.get(Cluster, "j-none") is None


def test_a_kind_is_not_taken_for_another(history):
    history.add(cluster())
    assert history.get(Group, "j-1") is None


def test_threads_do_not_lose_each_others_changes(history):
    history.add(cluster())

    def count():
        for _ in range(50):
            with history.changing(Cluster, "j-1") as one:
                one.step_concurrency += 1

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert history.get(Cluster, "j-1").step_concurrency == 201


def test_a_full_disk_is_an_error_and_loses_nothing(history):
    history.add(cluster())
    pages = history.base.execute("pragma page_count").fetchone()[0]
    history.base.execute(f"pragma max_page_count = {pages}")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        history.add(*(cluster(f"j-{number}", tags={"a": "b" * 1000}) for number in range(2, 200)))
    assert [one.id for one in history.of(Cluster, "j-1")] == ["j-1"]
    assert history.get(Cluster, "j-2") is None
    history.base.execute("pragma max_page_count = 100000")
    history.add(cluster("j-2"))
