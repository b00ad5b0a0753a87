"""doctor: one line per thing, and what to do about it; it always finishes."""

from __future__ import annotations

import json
import socket
from types import SimpleNamespace

import pytest

import emrlab
import emrlab.nodes
from emrlab.cli import checks

from .conftest import replace


@pytest.fixture
def machine(control, shop, place, monkeypatch, tmp_path):
    """A machine where all is well: a Java that answers, 16 GB."""
    java = tmp_path / "jre" / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text("#!/bin/sh\necho 'openjdk version \"17.0.9\"' >&2\n")
    java.chmod(0o755)
    memory = SimpleNamespace(name="standard", memory_bytes=16 * checks.GB)
    replace(monkeypatch, emrlab.nodes, "jre", {"java_home": lambda: java.parents[1]})
    replace(monkeypatch, emrlab, "profile", {"profile": lambda: memory})
    return SimpleNamespace(java=java, memory=memory)


def findings(result):
    return {one["name"]: one for one in json.loads(result.stdout)}


def test_every_check_gives_a_line_and_programs_get_json(emrlab_command, machine):
    people, programs = emrlab_command("doctor"), emrlab_command("doctor", "--json")
    assert len(findings(programs)) == len(checks.ALL)
    for name, one in findings(programs).items():
        assert any(line.startswith(one["level"]) and name in line for line in people.stdout.splitlines())
        assert one["todo"] or one["level"] == "ok"


def test_little_memory_is_a_failure_and_the_exit_code(emrlab_command, machine):
    machine.memory.memory_bytes = checks.GB
    result = emrlab_command("doctor", "--json")
    assert (result.exit_code, findings(result)["Memory"]["level"]) == (1, "fail")


def test_a_java_that_does_not_run_is_found(emrlab_command, machine):
    machine.java.write_text("#!/bin/sh\necho 'wrong architecture' >&2; exit 1\n")
    finding = findings(emrlab_command("doctor", "--json"))["Java"]
    assert finding["level"] == "fail"
    assert "wrong architecture" in finding["text"]


def test_a_broken_installation_does_not_stop_the_doctor(emrlab_command, machine):
    machine.java.unlink()
    result = emrlab_command("doctor", "--json")
    assert len(findings(result)) == len(checks.ALL)
    assert findings(result)["Java"]["todo"]


def test_missing_downloads_are_a_warning_with_the_command(emrlab_command, machine):
    finding = findings(emrlab_command("doctor", "--json"))["Downloads"]
    assert finding["level"] == "warn"
    assert "emrlab fetch" in finding["todo"]


def test_processes_without_their_region_are_leftovers(emrlab_command, machine, control, monkeypatch):
    monkeypatch.setattr("emrlab.processes.owned", lambda home: [SimpleNamespace(pid=4242)])
    assert "4242" in findings(emrlab_command("doctor", "--json"))["Leftovers"]["text"]
    control.up()
    assert findings(emrlab_command("doctor", "--json"))["Leftovers"]["level"] == "ok"


def test_a_taken_port_is_seen():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert not checks.free_port(taken.getsockname()[1])


def test_a_full_disk_is_a_failure_that_names_the_variable(emrlab_command, machine, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=checks.GB, total=0, used=0))
    finding = findings(emrlab_command("doctor", "--json"))["Disk"]
    assert finding["level"] == "fail"
    assert "EMRLAB_HOME" in finding["todo"]
