"""``mrjob -r emr``: its own roles, its own bucket, its own cluster; and on a cluster that is there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]
JOB = Path(__file__).with_name("mrjob_words.py")
TEXT = "The cat and the dog\nA dog is not the Cat\n" * 50
EXPECTED = dict(Counter(TEXT.lower().split()))


@pytest.fixture(scope="module")
def conf(region, tmp_path_factory):
    """``mrjob.conf``: what one would change on AWS too, and the endpoint."""
    names = ("emr_endpoint", "s3_endpoint", "ec2_endpoint", "iam_endpoint")
    options = {"release_label": "emr-7.9.0", "region": region.name, "instance_type": "m5.xlarge"}
    own = {**options, "check_cluster_every": 1, **dict.fromkeys(names, region.endpoint)}
    file = tmp_path_factory.mktemp("mrjob") / "mrjob.conf"
    file.write_text(yaml.safe_dump({"runners": {"emr": own}}))
    file.with_name("text.txt").write_text(TEXT)
    return file


@pytest.fixture
def mrjob(conf):
    """Run ``python …`` with the configuration at the end; standard output and standard error."""

    def run(*arguments: str) -> tuple[str, str]:
        command = [sys.executable, *arguments, "-c", str(conf)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False, cwd=conf.parent)
        assert done.returncode == 0, done.stderr
        return done.stdout, done.stderr

    return run


def words(output: str) -> dict[str, int]:
    return {json.loads(word): int(count) for word, count in (line.split("\t") for line in output.splitlines())}


def test_a_job_counts_words_on_a_cluster_of_its_own(mrjob, emr, conf):
    output, said = mrjob(str(JOB), "-r", "emr", "text.txt")
    assert words(output) == EXPECTED
    cluster = re.search(r"Created new cluster (j-\w+)", said)[1]
    told = emr.describe_cluster(ClusterId=cluster)["Cluster"]
    assert told["Status"]["State"] == "TERMINATED"  # by itself: it was not to stay
    assert told["Status"]["StateChangeReason"] == {"Code": "ALL_STEPS_COMPLETED", "Message": "Steps completed"}
    assert {tag["Key"]: tag["Value"] for tag in told["Tags"]}["__mrjob_label"] == "mrjob_words"
    # It made a role and an instance profile, and found its counters in the step's log.
    assert told["Ec2InstanceAttributes"]["IamInstanceProfile"].startswith("mrjob-")
    assert told["ServiceRole"].startswith("mrjob-")
    assert f"read={len(TEXT.split())}" in said
    assert "Can't" not in said


@pytest.mark.slow
def test_jobs_run_on_a_cluster_that_is_there(mrjob, emr):
    made, _ = mrjob("-m", "mrjob.cmd", "create-cluster")
    cluster = made.strip()
    for _ in range(2):  # without a key pair mrjob would wait ten minutes for a living cluster's logs
        output, said = mrjob(str(JOB), "-r", "emr", "--cluster-id", cluster, "--no-read-logs", "text.txt")
        assert words(output) == EXPECTED
        assert "Terminating" not in said
    assert emr.describe_cluster(ClusterId=cluster)["Cluster"]["Status"]["State"] == "WAITING"
    emr.terminate_job_flows(JobFlowIds=[cluster])
    emr.get_waiter("cluster_terminated").wait(ClusterId=cluster, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
