"""Spark on YARN: both deploy modes, notebooks, dynamic allocation, the history server."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from emrlab.applications import hadoop, spark
from emrlab.nodes.waiting import fetched, until

pytestmark = pytest.mark.engine
JOB = """\
import json, os, sys, tempfile
from pyspark.sql import SparkSession
spark = SparkSession.builder.appName("counting").getOrCreate()
rows = spark.read.option("header", True).csv(sys.argv[1])
rows.groupBy("colour").count().write.mode("overwrite").parquet(sys.argv[2])
found = {row["colour"]: row["count"] for row in spark.read.parquet(sys.argv[2]).collect()}
jvm = spark.sparkContext._jvm.java.lang.System
word = spark.conf.get("spark.lab.word")
maps = open(f"/proc/{spark.sparkContext._jvm.java.lang.ProcessHandle.current().pid()}/maps")
print("FOUND " + json.dumps({
    "counts": found, "word": word, "app": spark.sparkContext.applicationId, "tmp": jvm.getProperty("java.io.tmpdir"),
    "home": jvm.getProperty("user.home"), "python_tmp": tempfile.gettempdir(), "env": os.environ.get("SPARK_LAB_WORD"),
    "archives": sorted({line.split()[-1] for line in maps if ".jsa" in line}),
}), flush=True)
spark.stop()
"""
COLOURS = b"colour,n\nred,1\nblue,2\nred,3\n"


def found(said: str) -> dict:
    return json.loads(re.search(r"^FOUND (.*)$", said, re.MULTILINE)[1])


@pytest.fixture(scope="module")
def colours(aws):
    s3 = aws("s3")
    s3.create_bucket(Bucket="lab-colours")
    s3.put_object(Bucket="lab-colours", Key="job.py", Body=JOB.encode())
    s3.put_object(Bucket="lab-colours", Key="in/colours.csv", Body=COLOURS)
    return "s3://lab-colours"


@pytest.fixture(scope="module")
def client(cluster, colours):
    """What a job in client mode found."""
    return found(cluster.run("spark-submit", f"{colours}/job.py", f"{colours}/in/", f"{colours}/client/"))


def test_client_mode_runs_a_script_from_s3_and_writes_parquet_to_s3(client, aws):
    assert client["counts"] == {"red": 2, "blue": 1}
    listed = aws("s3").list_objects_v2(Bucket="lab-colours", Prefix="client/")["Contents"]
    names = [one["Key"] for one in listed]
    assert any(name.endswith(".parquet") for name in names)
    assert "client/_SUCCESS" in names
    assert not any("__magic" in name or "_temporary" in name for name in names)


def test_a_driver_is_on_its_node_with_what_configurations_gave(cluster, client):
    master = cluster.master
    assert client["word"] == "a word"
    assert client["env"] == master.name
    assert client["tmp"] == client["python_tmp"] == str(master.path("mnt", "tmp"))
    assert client["home"] == str(master.path("home", "hadoop"))


def test_a_driver_uses_sparks_class_data_archive(client):
    assert client["archives"] == [str(spark.archive().path)]


def test_cluster_mode_does_the_same_in_a_container(cluster, colours, aws):
    cluster.run(
        *("spark-submit", "--deploy-mode", "cluster", "--conf", "spark.yarn.submit.waitAppCompletion=true"),
        *(f"{colours}/job.py", f"{colours}/in/", f"{colours}/cluster/"),
    )
    said = "\n".join(
        file.read_text() for node in cluster.core for file in node.path("var/log/hadoop-yarn").rglob("stdout")
    )
    answer = found(said)
    assert answer["counts"] == {"red": 2, "blue": 1}
    assert "/mnt/yarn/" in answer["tmp"]
    app = cluster.yarn(f"apps/{answer['app']}")["app"]
    assert app["finalStatus"] == "SUCCEEDED"
    assert app["name"] == "job.py"  # the submission gives it, before the script says another


def test_a_script_that_fails_fails_the_command(cluster):
    cluster.master.write("home/hadoop/bad.py", "raise SystemExit(3)\n")
    cluster.run("spark-submit", "bad.py", status=3)


def test_another_process_with_the_nodes_environment_is_a_driver(cluster):
    """What a notebook does: its own Python, the variables of etc/environment."""
    from .conftest import login

    settings = {name: value for name, value in login(cluster.master).items() if name not in ("HOME", "USER", "PATH")}
    python = Path(settings["SPARK_HOME"]) / "python"
    settings["PYTHONPATH"] = os.pathsep.join(map(str, [python, *(python / "lib").glob("py4j-*.zip")]))
    code = (
        "from pyspark.sql import SparkSession\n"
        "spark = SparkSession.builder.appName('notebook').getOrCreate()\n"
        f"assert spark.version == {spark.Spark.version!r}\n"
        "print(spark.range(100).selectExpr('sum(id) as n').collect()[0].n, spark.sparkContext.master)\n"
        "print(spark.sparkContext.parallelize(range(8), 2).map(lambda n: n * n).sum())\n"
        "spark.stop()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **settings},
        cwd=cluster.master.path("home", "hadoop"),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.stdout.split() == ["4950", "yarn", "140"], done.stderr[-4000:]


def test_executors_come_and_go_and_leave_their_shuffle_files(cluster):
    """Dynamic allocation: a shuffle's reducers run although the executor that wrote it is gone."""
    cluster.master.write(
        "home/hadoop/elastic.py",
        """
import time
from pyspark.sql import SparkSession
spark = SparkSession.builder.appName("elastic").getOrCreate()
context = spark.sparkContext
live = lambda: context._jsc.sc().getExecutorMemoryStatus().size() - 1
pairs = context.parallelize(range(1000), 4).map(lambda n: (n % 10, 1)).reduceByKey(lambda a, b: a + b)
assert pairs.count() == 10
most, deadline = live(), time.time() + 60
while live() and time.time() < deadline:
    time.sleep(0.1)
left = live()
print("FOUND", '{"most": %d, "left": %d, "sum": %d}' % (most, left, pairs.values().sum()), flush=True)
spark.stop()
""",
    )
    said = cluster.run("spark-submit", "--conf", "spark.dynamicAllocation.executorIdleTimeout=1s", "elastic.py")
    answer = found(said)
    assert answer["most"] >= 1
    assert answer["left"] == 0
    assert answer["sum"] == 1000


def test_the_history_server_starts_on_request_and_knows_the_job(cluster, client):
    node = cluster.master
    daemon = spark.history_server(node)
    node.start(daemon)
    try:
        assert until(daemon.ready, 40, lambda: node.ended(daemon.name) is not None)
        url = f"http://{node.address}:18080/api/v1/applications/{client['app']}"
        assert until(lambda: fetched(url).get("name") == "counting", 20)
    finally:
        process = node.daemons.pop(daemon.name)
        process.terminate()
        process.wait(20)


def test_commands_use_hadoops_class_data_archive(cluster):
    said = cluster.run("hdfs", "dfs", "-ls", "/", env={"HADOOP_OPTS": "-Xlog:class+load:file=loaded.txt"})
    assert "/tmp" in said
    loaded = cluster.master.path("home/hadoop/loaded.txt").read_text().splitlines()
    shared = sum("shared objects file" in line for line in loaded)
    assert hadoop.archive().ready
    assert shared > 0.95 * len(loaded), [line for line in loaded if "shared objects" not in line][:20]


def test_nothing_of_a_finished_job_lives_on(cluster, client):
    def containers() -> list[psutil.Process]:
        return [one for node in cluster.core for one in node.processes() if "CONTAINER_ID" in one.environ()]

    assert until(lambda: not containers(), 20)
