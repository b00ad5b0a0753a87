"""MapReduce jobs on YARN."""

from __future__ import annotations

import re

import pytest

from emrlab.nodes.waiting import fetched, until

pytestmark = pytest.mark.engine
EXAMPLES = "/usr/lib/hadoop-mapreduce/hadoop-mapreduce-examples.jar"
MAPPER = "import sys\nfor line in sys.stdin:\n    for word in line.split():\n        print(f'{word}\\t1')\n"
REDUCER = """\
import sys, itertools
pairs = (line.rstrip("\\n").split("\\t") for line in sys.stdin)
for word, group in itertools.groupby(pairs, key=lambda pair: pair[0]):
    print(f"{word}\\t{sum(int(count) for _, count in group)}")
"""


def test_the_example_pi_is_about_three_and_the_history_server_remembers_it(cluster):
    said = cluster.run("hadoop", "jar", EXAMPLES, "pi", "2", "50")
    assert "Estimated value of Pi is 3." in said
    jobs = f"http://{cluster.master.address}:19888/ws/v1/history/mapreduce/jobs"

    def known() -> bool:
        found = (fetched(jobs).get("jobs") or {}).get("job", [])
        return any(job["state"] == "SUCCEEDED" and job["mapsTotal"] == 2 for job in found)

    assert until(known, 20)
    # Its master ran on a core node and yet knew where the history server is.
    said = cluster.run("yarn", "application", "-list", "-appStates", "FINISHED", "-appTypes", "MAPREDUCE")
    assert f"http://{cluster.master.name}:19888/jobhistory/job/job_" in said


def test_python_streaming_goes_from_s3_to_s3_with_scripts_from_s3(cluster, bucket):
    uri = f"s3://{bucket.name}"
    for name, body in (("map.py", MAPPER), ("reduce.py", REDUCER), ("in/words.txt", "a b a\nc a\n")):
        bucket.put_object(Key=name, Body=body.encode())
    cluster.run(
        *("hadoop-streaming", "-files", f"{uri}/map.py,{uri}/reduce.py", "-mapper", "python3 map.py"),
        *("-reducer", "python3 reduce.py", "-input", f"{uri}/in", "-output", f"{uri}/out"),
    )
    parts = [found.get()["Body"].read().decode() for found in bucket.objects.filter(Prefix="out/part-")]
    assert sorted("".join(parts).split("\n")) == ["", "a\t3", "b\t1", "c\t1"]
    assert bucket.Object("out/_SUCCESS").content_length >= 0


def test_a_failing_mapper_fails_the_job_with_a_reason(cluster, bucket):
    bucket.put_object(Key="in/words.txt", Body=b"a\n")
    said = cluster.run(
        *("hadoop-streaming", "-D", "mapreduce.map.maxattempts=1", "-D", "mapreduce.job.reduces=0"),
        *("-mapper", "bash -c 'exit 7'", "-input", f"s3://{bucket.name}/in", "-output", f"s3://{bucket.name}/out"),
        status=1,
    )
    assert "Task failed task_" in said
    application = re.search(r"application_\d+_\d+", said)[0]
    logs = ""

    def told() -> bool:
        nonlocal logs
        logs = cluster.run("yarn", "logs", "-applicationId", application, status=None)
        return "subprocess failed with code 7" in logs

    assert until(told, 20), logs[-3000:]
