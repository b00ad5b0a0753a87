"""The line that says why a step failed."""

from __future__ import annotations

import pytest

from emrlab.emr import failure

PYTHON = """\
26/11/25 11:00:00 WARN NativeCodeLoader: Unable to load
Traceback (most recent call last):
  File "/x/delays.py", line 3, in <module>
    spark.read.csv("s3://no/where")
pyspark.errors.exceptions.captured.AnalysisException: [PATH_NOT_FOUND] Path does not exist: s3://no/where.
26/11/25 11:00:01 INFO ShutdownHookManager: Shutdown hook called
"""
JAVA = """\
2026-11-25 11:00:00 INFO mapreduce.Job: Running
Exception in thread "main" org.apache.hadoop.mapred.FileAlreadyExistsException: Output directory s3://b/o already exists
\tat org.apache.hadoop.mapred.FileOutputFormat.checkOutputSpecs(FileOutputFormat.java:130)
Caused by: java.io.IOException: inner
\t... 12 more
"""
PY4J = """\
Traceback (most recent call last):
  File "delays.py", line 15, in <module>
    delays.coalesce(1).write.parquet(target)
py4j.protocol.Py4JJavaError: An error occurred while calling o72.parquet.
: java.io.FileNotFoundException: Bucket nowhere does not exist
\tat org.apache.hadoop.fs.s3a.S3AFileSystem.run(S3AFileSystem.java:1)
"""
CHAINED = """\
Traceback (most recent call last):
  File "a.py", line 1, in f
KeyError: 'a'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "a.py", line 3, in f
ValueError: second
"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (PYTHON, "pyspark.errors.exceptions.captured.AnalysisException: [PATH_NOT_FOUND] Path does not exist"),
        (JAVA, 'Exception in thread "main" org.apache.hadoop.mapred.FileAlreadyExistsException: Output directory'),
        (CHAINED, "ValueError: second"),
        (
            PY4J,
            "py4j.protocol.Py4JJavaError: An error occurred while calling o72.parquet: java.io.FileNotFoundException: "
            "Bucket nowhere does not exist",
        ),
        ("Error: Could not find or load main class X\n", "Error: Could not find or load main class X"),
        ("bash: line 1: nothing: command not found\n", "bash: line 1: nothing: command not found"),
        ("just words\n", "just words"),
        ("", ""),
    ],
)
def test_the_cause_is_found(text, said):
    assert failure.cause(text).startswith(said)
    assert bool(failure.cause(text)) == bool(said)


def test_what_a_python_driver_says_is_found_where_spark_writes_it():
    noise = "26/11/25 11:00:00 INFO Client: Submitting application\nERROR: something else\n"
    assert failure.told_in({"stderr": noise, "stdout": PYTHON})[0] == "stdout"
    assert failure.told_in({"stderr": noise, "stdout": "result: 1\n"}) == ("stderr", "ERROR: something else")
    assert failure.told_in({"stderr": "", "stdout": "Error: no\n"}) == ("stdout", "Error: no")
    assert failure.told_in({"stderr": "", "stdout": ""}) == ("stderr", "")


def test_what_hadoop_streaming_says_is_found_in_its_log():
    said = "2026-11-25 14:50:50,462 ERROR streaming.StreamJob (main): Job not successful!\n"
    logs = {"stderr": "Streaming Command Failed!\n", "syslog": f"{said}", "stdout": "packageJobJar: []\n"}
    assert failure.told_in(logs) == ("syslog", said.strip())


def test_a_silent_failure_tells_its_exit_code():
    assert failure.details("", 3, "") == {"Reason": "Unknown Error.", "Message": "The step ended with exit code 3."}


def test_the_log_is_named_and_a_long_line_cut():
    told = failure.details("Error: no", 1, "s3://b/stderr.gz")
    assert told == {"Reason": "Unknown Error.", "Message": "Error: no", "LogFile": "s3://b/stderr.gz"}
    assert len(failure.cause("Error: " + "x" * 5000)) == failure.LONGEST
