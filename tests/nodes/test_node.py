"""A node and its processes: marked, found again, ended to the last."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys

import psutil
import pytest

from emrlab.nodes.node import MARK, Daemon, Node, signal_group, tail
from emrlab.nodes.waiting import until

SLEEP = ("sleep", "300")
STUBBORN = "trap '' TERM; echo deaf; while :; do sleep 0.1; done"


@pytest.fixture
def node(tmp_path):
    found = Node(tmp_path / "i-1", "127.64.0.10", "ip-127-64-0-10.ec2.internal", "a-test's-mark")
    found.make()
    yield found
    found.stop(0.2)


def says(node: Node, *command: str) -> str:
    process = node.run(command, stdout=subprocess.PIPE, text=True)
    return process.communicate(timeout=20)[0]


def test_a_node_has_the_folders_of_a_machine(node):
    for name in ("etc", "home/hadoop", "mnt/tmp", "usr/bin", "var/log"):
        assert node.path(name).is_dir()


def test_make_twice_keeps_what_is_there(node):
    node.write("etc/motd", "hello")
    node.make()
    assert node.path("etc/motd").read_text() == "hello"


def test_a_process_is_at_home_on_its_node(node):
    said = says(node, "/bin/sh", "-c", "pwd; echo $USER; echo $EMRLAB_NODE_IP; echo $TMPDIR").splitlines()
    assert said == [str(node.path("home/hadoop")), "hadoop", node.address, str(node.path("mnt/tmp"))]


def test_the_users_own_environment_stays_outside(node, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    monkeypatch.setenv("SECRET_TOKEN", "x")
    monkeypatch.setenv("https_proxy", "http://proxy.example")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4510")
    assert not {"PYTHONPATH", "SECRET_TOKEN"} & set(node.environment)
    assert node.environment["https_proxy"] == "http://proxy.example"
    assert node.environment["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4510"


def test_settings_of_applications_win_and_a_command_may_change_them(node):
    node.settings["COLOUR"] = "red"
    assert says(node, "/bin/sh", "-c", "echo $COLOUR") == "red\n"
    process = node.run(("/bin/sh", "-c", "echo $COLOUR"), {"COLOUR": "blue"}, stdout=subprocess.PIPE, text=True)
    assert process.communicate(timeout=20)[0] == "blue\n"


def test_the_environment_of_a_login_is_one_line_per_variable(node):
    node.settings |= {"PLAIN": "a b=c", "BROKEN": "two\nlines"}
    node.write_environment()
    lines = node.path("etc/environment").read_text().splitlines()
    assert "PLAIN=a b=c" in lines
    assert not any(line.startswith(("BROKEN", "lines")) for line in lines)
    assert dict(line.split("=", 1) for line in lines)[MARK] == str(node.folder)


def test_a_file_is_written_whole_or_not_at_all(node, monkeypatch):
    node.write("etc/some", "old")

    def full(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(OSError, match="No space"):
        node.write("etc/some", "new")
    assert node.path("etc/some").read_text() == "old"


def test_scripts_are_executable(node):
    node.write("usr/bin/greet", "#!/bin/sh\necho hi $1\n", executable=True)
    assert says(node, "sh", "-c", "greet you") == "hi you\n"


def test_a_daemons_words_go_to_its_log(node):
    node.start(Daemon("talker", ("/bin/sh", "-c", "echo out; echo err >&2; exit 3"), "talk/talker.log", lambda: True))
    assert until(lambda: node.ended("talker") is not None, 10)
    assert node.ended("talker") == 3
    assert node.path("var/log/talk/talker.log").read_text() == "out\nerr\n"


def test_a_daemon_that_was_never_started_has_not_ended(node):
    assert node.ended("nobody") is None


def test_a_daemon_started_again_keeps_its_log(node):
    for _ in range(2):
        node.start(Daemon("talker", ("echo", "hi"), "talker.log", lambda: True))
        assert until(lambda: node.ended("talker") is not None, 10)
    assert node.path("var/log/talker.log").read_text() == "hi\nhi\n"


def test_grandchildren_belong_to_the_node_even_when_their_parents_are_gone(node):
    says(node, "/bin/sh", "-c", "setsid sleep 300 >/dev/null 2>&1 & exit 0")
    assert until(lambda: [one.name() for one in node.processes()] == ["sleep"], 10)
    node.stop()
    assert node.processes() == []


def test_stop_leaves_no_process_not_even_a_stubborn_one(node):
    deaf = node.run(("/bin/bash", "-c", STUBBORN), stdout=subprocess.PIPE)
    assert deaf.stdout is not None
    deaf.stdout.readline()
    node.run(SLEEP)
    node.stop(0.2)
    assert node.processes() == []
    assert deaf.wait(5) == -signal.SIGKILL
    deaf.stdout.close()


def test_stop_leaves_other_nodes_alone(node, tmp_path):
    other = Node(tmp_path / "i-10", "127.64.0.11", "ip-127-64-0-11.ec2.internal", node.owner)
    other.make()
    process = other.run(SLEEP)
    node.run(SLEEP)
    node.stop()
    assert process.poll() is None
    other.stop()


def test_stop_twice_is_harmless(node):
    node.stop()
    node.stop()


def test_nothing_starts_on_a_stopped_node(node):
    node.stop()
    with pytest.raises(ProcessLookupError, match="is stopped"):
        node.run(SLEEP)


def test_a_signal_reaches_all_of_a_command(node):
    process = node.run(("/bin/bash", "-c", "sleep 300 & echo $!; wait"), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    child = psutil.Process(int(process.stdout.readline()))
    signal_group(process, signal.SIGKILL)
    assert process.wait(10) == -signal.SIGKILL

    def gone() -> bool:
        with contextlib.suppress(psutil.NoSuchProcess):
            return child.status() == psutil.STATUS_ZOMBIE
        return True

    assert until(gone, 10)
    process.stdout.close()


def test_a_signal_to_what_has_ended_is_harmless(node):
    process = node.run((sys.executable, "-c", ""))
    process.wait(20)
    signal_group(process, signal.SIGTERM)


def test_tail_gives_the_end_of_a_file(tmp_path):
    file = tmp_path / "log"
    file.write_bytes(b"x" * 5000 + b"the end")
    assert tail(file, 7) == "the end"
    assert len(tail(file)) == 4096
    assert tail(tmp_path / "absent") == ""


def test_a_process_carries_the_marks_of_its_owner_and_node(node):
    process = node.run(SLEEP)
    environment = psutil.Process(process.pid).environ()
    assert environment["EMRLAB_OWNER"] == node.owner
    assert environment[MARK] == str(node.folder)
    assert os.getpgid(process.pid) == process.pid
