"""The public contract as a newcomer meets it: real processes, a real region, a real shell."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from emrlab.home import Home
from emrlab.processes import owned


@pytest.fixture
def emrlab_process(tmp_path):
    """Run ``emrlab …`` as a process with a home of its own; whatever it started is ended afterwards."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("AWS_") or name == "AWS_CA_BUNDLE"}
    env |= {"EMRLAB_HOME": str(tmp_path / "home"), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "emrlab", *arguments]
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)

    run.env = env  # type: ignore[attr-defined]
    yield run
    run("down")


@pytest.mark.region
def test_up_env_aws_status_down_and_nothing_is_left(emrlab_process, tmp_path):
    up = emrlab_process("up")
    assert up.returncode == 0, up.stderr
    script = 'eval "$(emrlab env --shell sh)" && aws s3 mb s3://my-first-bucket && aws s3 ls'
    shell = subprocess.run(
        ["sh", "-c", script], env=emrlab_process.env, capture_output=True, text=True, timeout=120, check=False
    )
    assert "my-first-bucket" in shell.stdout, shell.stderr
    assert json.loads(emrlab_process("status", "--json").stdout)["running"] is True
    assert emrlab_process("down").returncode == 0
    assert emrlab_process("status").returncode == 1
    assert list(owned(Home((tmp_path / "home").resolve()))) == []


@pytest.mark.region
def test_unset_knows_every_name_the_region_exports(emrlab_process):
    assert emrlab_process("up").returncode == 0
    given = emrlab_process("env", "--shell", "sh").stdout
    assert emrlab_process("down").returncode == 0
    taken = emrlab_process("env", "--shell", "sh", "--unset").stdout
    exported = {line.removeprefix("export ").partition("=")[0] for line in given.splitlines()}
    assert exported
    assert exported <= {line.removeprefix("unset ").rstrip(";") for line in taken.splitlines()}


@pytest.mark.region
def test_an_unknown_cluster_is_one_line_with_the_next_step(emrlab_process):
    assert emrlab_process("up").returncode == 0
    for command in ("ssh", "logs"):
        result = emrlab_process(command, "j-UNKNOWN0000")
        assert result.returncode == 1
        assert len(result.stderr.splitlines()) == 1
        assert "emrlab status" in result.stderr


@pytest.mark.region
def test_env_without_a_region_starts_nothing(emrlab_process, tmp_path):
    result = emrlab_process("env")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.splitlines() == ["No region is running. Start one: emrlab up"]
    assert list(owned(Home((tmp_path / "home").resolve()))) == []
