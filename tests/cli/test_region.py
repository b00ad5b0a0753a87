"""up, down, status, env."""

from __future__ import annotations

import json
import os
import subprocess

import pytest


def test_up_says_where_and_how_to_go_on(emrlab_command, control):
    result = emrlab_command("up", "--port", "4599")
    assert result.exit_code == 0
    assert control.calls == ["up 4599"]
    assert "http://127.0.0.1:4599" in result.stdout
    assert "emrlab env" in result.stdout
    assert "waiting for the endpoint" in result.stderr


def test_a_port_that_cannot_be_is_refused(emrlab_command, control):
    assert emrlab_command("up", "--port", "70000").exit_code == 2
    assert control.calls == []


def test_down_twice_is_harmless(emrlab_command, control):
    control.up()
    assert "nothing keeps running" in emrlab_command("down").stdout
    second = emrlab_command("down")
    assert (second.exit_code, second.stdout) == (0, "No region was running.\n")


def test_status_without_a_region_tells_people_and_programs(emrlab_command, control, place):
    people, programs = emrlab_command("status"), emrlab_command("status", "--json")
    assert people.exit_code == programs.exit_code == 1
    assert "emrlab up" in people.output
    assert json.loads(programs.stdout) == {"running": False, "home": str(place)}


def test_status_lists_clusters(emrlab_command, account):
    result = emrlab_command("status")
    assert result.exit_code == 0
    assert account.cluster in result.stdout
    about = json.loads(emrlab_command("status", "--json").stdout)
    assert about["running"] is True
    assert [cluster["Id"] for cluster in about["clusters"]] == [account.cluster]


def test_ended_clusters_show_only_when_asked_for(emrlab_command, account):
    account.emr.terminate_job_flows(JobFlowIds=[account.cluster])
    assert account.cluster not in emrlab_command("status").stdout
    assert account.cluster in emrlab_command("status", "--all").stdout


def test_env_without_a_region_prints_nothing_a_shell_would_run(emrlab_command, control):
    result = emrlab_command("env")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "emrlab up" in result.stderr
    assert control.calls == []


def test_a_shell_gets_exactly_the_environment(emrlab_command, control):
    control.up()
    printed = emrlab_command("env", "--shell", "sh").stdout
    script = printed + 'printf %s "$AWS_ENDPOINT_URL|$AWS_SECRET_ACCESS_KEY"'
    seen = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout
    assert seen == "http://127.0.0.1:4599|it's a secret"


def test_fish_is_recognised_and_spoken(emrlab_command, control, monkeypatch):
    control.up()
    monkeypatch.setenv("SHELL", "/usr/bin/fish")
    assert "set -gx AWS_ENDPOINT_URL http://127.0.0.1:4599;" in emrlab_command("env").stdout
    assert "set -e AWS_ENDPOINT_URL;" in emrlab_command("env", "--unset").stdout
    assert "export AWS_ENDPOINT_URL=" in emrlab_command("env", "--shell", "sh").stdout


@pytest.mark.parametrize("alive", [True, False])
def test_unset_takes_back_what_env_gave_even_after_the_region_ended(emrlab_command, control, alive):
    control.up()
    given = emrlab_command("env", "--shell", "sh").stdout
    if not alive:
        control.down()
    taken = emrlab_command("env", "--shell", "sh", "--unset").stdout
    script = given + taken + "env"
    seen = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True, env={"PATH": os.defpath})
    assert "AWS_" not in seen.stdout
