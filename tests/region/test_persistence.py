"""What a client was told is there, whatever was killed; what the disk refuses is refused."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable

import psutil
import pytest
from botocore.exceptions import ClientError

from emrlab.processes import owned
from emrlab.region import control

pytestmark = pytest.mark.region
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"},
        ],
    }
)
TAGS = {"TagSet": [{"Key": "k", "Value": "v"}]}


def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to be"
        time.sleep(0.02)


def kill(region: control.Region, home) -> None:
    """Region and warden at once, as a power cut would."""
    os.kill(region.warden_pid, signal.SIGSTOP)
    for pid in (region.pid, region.warden_pid):
        os.kill(pid, signal.SIGKILL)
    psutil.wait_procs(list(owned(home)), timeout=10)


def fill(region, client_of) -> None:
    s3 = client_of(region, "s3")
    for bucket in ("plain", "versioned"):
        s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket="plain", Key="a/b c+é", Body=b"content", Metadata={"who": "me"}, ContentType="text/x")
    s3.put_bucket_tagging(Bucket="plain", Tagging=TAGS)
    s3.put_bucket_versioning(Bucket="versioned", VersioningConfiguration={"Status": "Enabled"})
    for body in (b"one", b"two"):
        s3.put_object(Bucket="versioned", Key="k", Body=body)
    client_of(region, "sqs").create_queue(QueueName="queue")
    url = client_of(region, "sqs").get_queue_url(QueueName="queue")["QueueUrl"]
    client_of(region, "sqs").send_message(QueueUrl=url, MessageBody="hello")
    client_of(region, "iam").create_role(RoleName="the-reader", AssumeRolePolicyDocument=TRUST)


def check(region, client_of) -> None:
    s3 = client_of(region, "s3")
    assert [one["Name"] for one in s3.list_buckets()["Buckets"]] == ["plain", "versioned"]
    found = s3.get_object(Bucket="plain", Key="a/b c+é")
    assert (found["Body"].read(), found["Metadata"], found["ContentType"]) == (b"content", {"who": "me"}, "text/x")
    assert s3.get_bucket_tagging(Bucket="plain")["TagSet"] == TAGS["TagSet"]
    assert s3.get_bucket_versioning(Bucket="versioned")["Status"] == "Enabled"
    versions = s3.list_object_versions(Bucket="versioned")["Versions"]
    bodies = [s3.get_object(Bucket="versioned", Key="k", VersionId=one["VersionId"])["Body"].read() for one in versions]
    assert bodies == [b"two", b"one"]
    url = client_of(region, "sqs").get_queue_url(QueueName="queue")["QueueUrl"]
    (message,) = client_of(region, "sqs").receive_message(QueueUrl=url)["Messages"]
    assert message["Body"] == "hello"
    role = client_of(region, "iam").get_role(RoleName="the-reader")["Role"]
    assert role["AssumeRolePolicyDocument"] == json.loads(TRUST)


def test_all_is_there_after_down_and_up_and_the_port_is_the_same(own, client_of, port):
    first = control.up(own, port)
    fill(first, client_of)
    control.down(own)  # at once: before the keeper's time
    second = control.up(own)
    assert second.endpoint == first.endpoint
    check(second, client_of)


def test_all_is_there_a_second_later_after_a_kill_and_the_port_is_the_same(own, client_of, port):
    first = control.up(own, port)
    fill(first, client_of)
    state = own.region / "aws-services"

    def saved(name: str, text: str) -> bool:
        file = state / f"{name}.json"
        return file.exists() and text in file.read_text()

    until(lambda: saved("iam", "the-reader") and saved("sqs", "hello"), 10.0)  # a second may be lost
    s3 = client_of(first, "s3")  # and nothing of S3
    s3.put_bucket_tagging(Bucket="plain", Tagging={"TagSet": [{"Key": "at", "Value": "once"}]})
    s3.put_object(Bucket="plain", Key="last", Body=b"last")
    kill(first, own)
    second = control.up(own)
    assert second.endpoint == first.endpoint
    s3 = client_of(second, "s3")
    assert s3.get_bucket_tagging(Bucket="plain")["TagSet"] == [{"Key": "at", "Value": "once"}]
    assert s3.get_object(Bucket="plain", Key="last")["Body"].read() == b"last"
    s3.put_bucket_tagging(Bucket="plain", Tagging=TAGS)
    check(second, client_of)


def refused(work: Callable[[], object]) -> None:
    with pytest.raises(ClientError, match="Free some space") as caught:
        work()
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 507
    assert caught.value.response["Error"]["Code"] == "InsufficientStorage"


def refuses_and_keeps(region, client_of, size: int) -> None:
    """``size`` is more than there is room for."""
    s3 = client_of(region, "s3")
    s3.create_bucket(Bucket="full")
    s3.put_object(Bucket="full", Key="k", Body=b"old")
    refused(lambda: s3.put_object(Bucket="full", Key="k", Body=bytes(size)))
    refused(lambda: s3.put_object(Bucket="full", Key="new", Body=bytes(size)))
    assert s3.get_object(Bucket="full", Key="k")["Body"].read() == b"old"
    assert [one["Key"] for one in s3.list_objects_v2(Bucket="full")["Contents"]] == ["k"]
    s3.put_object(Bucket="full", Key="k", Body=b"small")
    assert s3.get_object(Bucket="full", Key="k")["Body"].read() == b"small"


def test_a_file_that_may_not_grow_is_refused_and_what_was_there_stays(own, client_of):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4 << 20, hard))
    try:
        region = control.up(own)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    refuses_and_keeps(region, client_of, 5 << 20)


def test_a_full_disk_is_refused_and_what_was_there_is_there_after_a_restart(own, client_of):
    own.root.mkdir()
    size = ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(own.root)]
    if subprocess.run(size, capture_output=True, check=False).returncode:
        pytest.skip("a small disk can be made by root alone")
    try:
        region = control.up(own)
        refuses_and_keeps(region, client_of, 12 << 20)
        with (own.root / "filler").open("wb", buffering=0) as filler:
            os.posix_fallocate(filler.fileno(), 0, shutil.disk_usage(own.root).free)
        s3 = client_of(region, "s3")
        refused(lambda: s3.put_object(Bucket="full", Key="k", Body=b"none"))
        refused(lambda: s3.create_bucket(Bucket="another"))
        assert s3.get_object(Bucket="full", Key="k")["Body"].read() == b"small"
        kill(region, own)
        (own.root / "filler").unlink()
        s3 = client_of(control.up(own), "s3")
        assert s3.get_object(Bucket="full", Key="k")["Body"].read() == b"small"
        s3.put_object(Bucket="full", Key="k", Body=b"again")
    finally:
        control.down(own)
        subprocess.run(["umount", str(own.root)], check=False)
