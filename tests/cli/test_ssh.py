"""ssh: a shell with the master node's environment, and nothing else of the laptop's."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from emrlab.cli.ssh import login
from emrlab.errors import LabError


class Replaced(Exception):
    """This process would have become another one."""


@pytest.fixture
def executed(monkeypatch, tmp_path):
    """What the command turns into; the working folder is put back."""
    seen = {}

    def execvpe(file, arguments, env):
        seen.update(file=file, arguments=arguments, env=env, folder=os.getcwd())
        raise Replaced

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "execvpe", execvpe)
    return seen


def test_a_shell_opens_at_home_with_the_nodes_environment(emrlab_command, account, executed, monkeypatch):
    monkeypatch.setenv("SHELL", "/bin/bash")
    result = emrlab_command("ssh", account.cluster)
    assert isinstance(result.exception, Replaced), result.output
    assert executed["arguments"] == ["/bin/bash", "--norc"]
    assert executed["folder"] == str(account.node / "home" / "hadoop")
    assert executed["env"]["PATH"].startswith(f"{account.node}/usr/bin:")
    assert executed["env"]["PS1"].startswith("[hadoop@")


def test_a_command_goes_to_a_shell_there_as_with_ssh(emrlab_command, account, executed):
    emrlab_command("ssh", account.cluster, "hdfs", "dfs", "-ls", "/ | head")
    assert executed["arguments"] == ["bash", "-c", "hdfs dfs -ls / | head"]


def test_a_client_s_configuration_is_printed_for_the_nodes_addresses_alone(emrlab_command, tmp_path):
    result = emrlab_command("ssh", "--config")
    assert result.exit_code == 0
    if shutil.which("ssh") is None:
        pytest.skip("this machine has no SSH client")
    file = tmp_path / "config"
    file.write_text(result.stdout)

    def asked(host: str) -> dict[str, str]:
        told = subprocess.run(["ssh", "-F", file, "-G", host], capture_output=True, text=True, check=True).stdout
        return dict(line.split(" ", 1) for line in told.splitlines() if " " in line)

    for host in ("127.64.0.10", "127.99.255.10", "127.127.255.249"):
        assert (asked(host)["port"], asked(host)["user"]) == ("2222", "hadoop")
    for host in ("127.0.0.1", "127.0.1.1", "127.6.0.1", "example.org"):
        assert asked(host)["port"] == "22"


def test_without_a_cluster_it_asks_for_one(emrlab_command):
    result = emrlab_command("ssh")
    assert (result.exit_code, "emrlab ssh j-" in result.stderr) == (2, True)


def test_values_may_hold_equals_signs_and_comments_are_none(tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "environment").write_text("# what a login has\nHADOOP_OPTS=-Da=b -Dc=d\n\nEMPTY=\n")
    env = login(tmp_path)
    assert (env["HADOOP_OPTS"], env["EMPTY"]) == ("-Da=b -Dc=d", "")
    assert not [name for name in env if name.startswith("#")]


def test_a_node_that_is_not_set_up_yet_asks_for_patience(tmp_path):
    with pytest.raises(LabError, match="try again when the cluster is"):
        login(tmp_path)


def test_an_unknown_cluster_says_where_the_known_ones_are(emrlab_command, account):
    result = emrlab_command("ssh", "j-NOSUCHCLUSTER")
    assert result.exit_code == 1
    assert "emrlab status" in result.stderr


def test_a_terminated_cluster_has_no_shell(emrlab_command, account, executed):
    account.emr.terminate_job_flows(JobFlowIds=[account.cluster])
    for path in sorted(account.node.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    account.node.rmdir()
    result = emrlab_command("ssh", account.cluster)
    assert result.exit_code == 1
    assert executed == {}


def test_without_a_region_it_says_how_to_start_one(emrlab_command, control):
    result = emrlab_command("ssh", "j-1")
    assert (result.exit_code, "emrlab up" in result.stderr) == (1, True)
