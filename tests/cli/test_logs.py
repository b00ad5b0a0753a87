"""logs: from the node while it exists, from S3 afterwards."""

from __future__ import annotations

import gzip
import shutil
import threading

import boto3
import pytest
from botocore.stub import Stubber

from emrlab.cli import aws
from emrlab.cli.logs import follow_files

from .conftest import CREDENTIALS


@pytest.fixture
def written(account):
    """The step's folder on the master node, with something in two of its four files."""
    folder = account.node / "var" / "log" / "hadoop" / "steps" / account.step
    for name, text in {"controller": "ended with 0\n", "stdout": "AA 12.5\n", "stderr": "", "syslog": ""}.items():
        (folder / name).write_text(text)
    return folder


def test_a_cluster_alone_shows_its_steps_and_its_nodes_logs(emrlab_command, account, written):
    output = emrlab_command("logs", account.cluster).stdout
    assert account.step in output
    assert "hadoop-hdfs-namenode-ip.log" in output
    assert f"emrlab logs {account.cluster} {account.step}" in output


def test_a_step_shows_the_files_that_say_something(emrlab_command, account, written):
    output = emrlab_command("logs", account.cluster, account.step).stdout
    assert output == "==> controller <==\nended with 0\n\n==> stdout <==\nAA 12.5\n"


def test_one_file_comes_bare_for_pipes(emrlab_command, account, written):
    assert emrlab_command("logs", account.cluster, account.step, "--file", "stdout").stdout == "AA 12.5\n"


def test_when_the_node_is_gone_s3_answers(emrlab_command, account, written):
    key = f"emr/{account.cluster}/steps/{account.step}/stderr.gz"
    account.s3.put_object(Bucket="my-bucket", Key=key, Body=gzip.compress(b"Traceback: no such file\n"))
    shutil.rmtree(account.node)
    assert emrlab_command("logs", account.cluster, account.step).stdout == "Traceback: no such file\n"
    only = emrlab_command("logs", account.cluster, account.step, "--file", "stderr")
    assert only.stdout == "Traceback: no such file\n"


def test_no_logs_anywhere_is_said_with_the_steps_state(emrlab_command, account):
    result = emrlab_command("logs", account.cluster, account.step)
    assert result.exit_code == 1
    assert f"emrlab logs {account.cluster}" in result.stderr


def test_a_daemons_log_by_node_and_name(emrlab_command, account):
    for node in ("master", account.node.name):
        result = emrlab_command("logs", account.cluster, "--node", node, "--daemon", "namenode")
        assert result.stdout == "NameNode is up\n", result.stderr


def test_an_unknown_daemon_or_cluster_leads_on(emrlab_command, account):
    for arguments in (["j-NONE"], [account.cluster, "--daemon", "zeppelin"]):
        result = emrlab_command("logs", *arguments)
        assert result.exit_code == 1, result.output
        assert "emrlab " in result.stderr


def test_an_unknown_step_leads_to_the_known_ones(emrlab_command, account, monkeypatch):
    emr = boto3.client("emr", **CREDENTIALS)
    stubber = Stubber(emr)  # moto does not refuse an unknown step as EMR does
    cluster = account.emr.describe_cluster(ClusterId=account.cluster)
    stubber.add_response(
        "describe_cluster", {"Cluster": {"Id": account.cluster, "Status": cluster["Cluster"]["Status"]}}
    )
    stubber.add_client_error(
        "describe_step", "InvalidRequestException", "Step id 's-NONE' is not valid.", http_status_code=400
    )
    monkeypatch.setattr(aws, "client", lambda service, region: emr)
    with stubber:
        result = emrlab_command("logs", account.cluster, "s-NONE")
    assert result.exit_code == 1
    assert result.stderr.strip().endswith(f"emrlab logs {account.cluster}")


def test_options_that_do_not_fit_together_are_refused(emrlab_command, account):
    for arguments in (["--file", "stderr"], [account.step, "--daemon", "namenode"]):
        assert emrlab_command("logs", account.cluster, *arguments).exit_code == 2


def test_follow_prints_what_is_written_until_the_end_and_no_line_twice(tmp_path, capsys):
    file, ended = tmp_path / "stderr", threading.Event()
    rounds = iter(["", "first\n", "second\n", "last\n"])

    def is_over() -> bool:
        over = ended.is_set()
        text = next(rounds, None)
        if text is None:
            ended.set()
        elif text:
            with file.open("a") as stream:
                stream.write(text)
        return over

    follow_files([lambda: file if file.exists() else None], is_over)
    assert capsys.readouterr().out == "first\nsecond\nlast\n"


def test_what_a_step_says_in_either_file_is_followed(tmp_path, capsys):
    """Spark tells its progress in stderr, Hadoop in syslog."""
    files = [tmp_path / "stderr", tmp_path / "syslog"]
    rounds = iter([("", "map 0%\n"), ("warning\n", "map 100%\n")])

    def is_over():
        try:
            for file, text in zip(files, next(rounds), strict=True):
                with file.open("a") as out:
                    out.write(text)
        except StopIteration:
            return True
        return False

    follow_files([lambda: files[0], lambda: files[1]], is_over)
    assert capsys.readouterr().out == "map 0%\nwarning\nmap 100%\n"
