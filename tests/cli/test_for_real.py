"""The public contract as a newcomer meets it: real processes, a real region, a real shell."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from emrlab.emr.history import History
from emrlab.emr.records import Cluster, Instance
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
def test_what_a_cluster_has_cost_is_told_after_a_restart(emrlab_process, tmp_path):
    history = History(Home((tmp_path / "home").resolve()).region / "emr.sqlite")
    then = time.time() - 7200
    cluster = Cluster(
        id="j-1", cluster="j-1", state="TERMINATED", account="123456789012", region="us-east-1", name="dear",
        release="emr-7.9.0", applications=["Hadoop"], keep_alive=True, protected=False, created=then, ended=then + 3600,
    )  # fmt: skip
    nodes = [
        Instance(
            id=f"ci-{kind}", cluster="j-1", state="TERMINATED", group="ig-1", ec2=f"i-{kind}", market=kind,
            instance_type="m5.xlarge", created=then, ended=then + 3600,
        )
        for kind in ("ON_DEMAND", "SPOT")
    ]  # fmt: skip
    history.add(cluster, *nodes)
    history.close()
    found = []
    for _ in range(2):
        assert emrlab_process("up").returncode == 0
        told = emrlab_process("cost", "j-1", "--json")
        assert told.returncode == 0, told.stderr
        found.append([one["Cost"] for one in json.loads(told.stdout)["Instances"]])
        assert emrlab_process("down").returncode == 0
    assert found[0] == found[1]
    on_demand, spot = found[0]
    assert on_demand["Ec2"] == pytest.approx(0.192)
    assert 0 < spot["Ec2"] < 0.192


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
