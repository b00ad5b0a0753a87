"""Up, status, down: one region of a home, whatever is in its way."""

from __future__ import annotations

import os
import resource
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from emrlab.errors import LabError
from emrlab.home import Home
from emrlab.processes import marked, owned
from emrlab.region import control

pytestmark = pytest.mark.region
UP = "from emrlab.region import control; print(control.up().pid)"


def python(code: str, **env: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2]), **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def outcome(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out.strip()


# One region


def test_up_when_it_is_up_is_the_same_region(region, home):
    assert control.up(home) == region == control.status(home)


def test_the_region_is_told_as_it_is(region, home):
    assert region.endpoint.startswith("http://127.0.0.1:")
    assert (region.account, region.name, region.home) == ("123456789012", "us-east-1", home.root)
    assert psutil.Process(region.pid).ppid() == region.warden_pid


def test_another_process_finds_it(region):
    assert outcome(python(UP)) == str(region.pid)


def test_another_home_has_none(region, tmp_path):
    assert control.status(Home(tmp_path)) is None
    assert control.down(Home(tmp_path)) is False


def test_all_sockets_are_on_loopback(region, aws):
    aws("s3").list_buckets()
    aws("emr").list_clusters()
    sockets = [
        one
        for process in (psutil.Process(region.pid), psutil.Process(region.warden_pid))
        for one in process.net_connections("inet")
    ]
    assert sockets
    assert {one.laddr.ip for one in sockets} == {"127.0.0.1"}
    assert {one.raddr.ip for one in sockets if one.raddr} <= {"127.0.0.1"}


def test_it_needs_no_more_than_a_laptop_has_to_spare(region):
    assert psutil.Process(region.warden_pid).memory_info().rss < 40 << 20


def test_two_at_once_are_one(own):
    first, second = python(UP), python(UP)
    assert outcome(first) == outcome(second) == str(control.status(own).pid)


def test_down_ends_all_and_twice_is_harmless(own):
    control.up(own)
    child = subprocess.Popen(["sleep", "600"], env=marked(own))
    said: list[str] = []
    assert control.down(own, said.append) is True
    assert child.wait(timeout=5) != 0
    assert list(owned(own)) == []
    assert control.status(own) is None
    assert said[0] == "Stopping the region …"
    assert control.down(own) is False


def test_a_stale_note_of_a_region_is_no_region(own, region):
    """Another home's region may have got the port of one that was killed."""
    own.region.mkdir(parents=True)
    note = control.recorded(Home(region.home)).read_text()
    control.recorded(own).write_text(note)
    assert control.status(own) is None
    for text in ("", "{", "[]", '{"endpoint": 7}', '{"endpoint": "http://127.0.0.1:1"}'):
        control.recorded(own).write_text(text)
        assert control.status(own) is None


# What is in its way


def test_a_taken_port_is_said_and_nothing_is_left(own):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(LabError, match=rf"Port {port} .*in use.*emrlab up --port"):
            control.up(own, port=port)
    assert control.status(own) is None
    psutil.wait_procs(list(owned(own)), timeout=10)
    assert list(owned(own)) == []


@pytest.mark.parametrize("port", [0, -1, 65536, "4510"])
def test_a_number_that_is_no_port_is_refused(own, port):
    with pytest.raises(LabError, match="is no port"):
        control.up(own, port=port)


def test_a_home_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LabError, match=r"cannot be written.*EMRLAB_HOME"):
        control.up(Home(tmp_path / "file" / "home"))


def test_a_full_disk_is_said_before_anything_starts(own):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(LabError, match=r"No space is left.*EMRLAB_HOME"):
            control.up(own)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(owned(own)) == []
    assert [path.name for path in own.region.iterdir()] == []


def test_a_region_that_cannot_start_says_why(own):
    """Its state on disk is a folder where a file should be."""
    (own.region / "emr.sqlite").mkdir(parents=True)
    with pytest.raises(LabError, match=r"did not start.*unable to open database file.*region\.log"):
        control.up(own)
    psutil.wait_procs(list(owned(own)), timeout=10)
    assert list(owned(own)) == []


# Whose files

SERVE = """
import os
import boto3
from emrlab.region import control
region = control.up()
os.environ |= control.environment(region)
s3 = boto3.client("s3")
s3.create_bucket(Bucket="mine")
s3.put_object(Bucket="mine", Key="k", Body=b"x")
boto3.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument="{}")
boto3.client("redshift").describe_clusters()
boto3.client("emr").list_clusters()
control.down()
print(os.geteuid())
"""
NOBODY = 65534


def as_nobody(place: Path) -> list[str]:
    """A command's beginning that runs it as a user without rights, except to read this very program; for root alone.

    Empty when there is no such command: then the tests' own user will do.
    """
    setpriv = shutil.which("setpriv")
    rights = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs"]
    rights += ["--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search"]
    if os.geteuid() or not setpriv:
        return []
    if subprocess.run([setpriv, *rights, "true"], capture_output=True, check=False).returncode:
        return []
    for path in (place, *place.iterdir()):
        os.chown(path, NOBODY, NOBODY)
    return [setpriv, *rights]


def test_it_serves_any_user_and_writes_below_its_home_alone(tmp_path):
    folders = {name: tmp_path / name for name in ("user", "tmp", "home", "cache")}
    for folder in folders.values():
        folder.mkdir()
    command = as_nobody(tmp_path)
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": str(folders["user"]),
        "TMPDIR": str(folders["tmp"]),
        "EMRLAB_HOME": str(folders["home"]),
        "EMRLAB_CACHE": str(folders["cache"]),
    }
    done = subprocess.run(
        [*command, sys.executable, "-c", SERVE],
        env=env,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == (NOBODY if command else os.geteuid())
    assert {path.name for path in tmp_path.iterdir()} == set(folders)
    assert [path for name in ("user", "tmp") for path in folders[name].rglob("*")] == []
    assert {path.name for path in folders["home"].iterdir()} == {"region"}
    assert (folders["home"] / "region" / "aws-services" / "s3.json").exists()
