"""What goes wrong on clusters, and what is said and left then. The shared cluster is whole again after each test."""

from __future__ import annotations

import subprocess
import time

import psutil
import pytest

from emrlab.applications.launch import Cancelled, start_up
from emrlab.errors import LabError
from emrlab.nodes.waiting import until

from .conftest import login, make_cluster, running

pytestmark = pytest.mark.engine
# Two executors, one on each core node. It says when both work, and goes on until it is told that one is gone.
JOB = """\
import os, sys, time
from pyspark.sql import SparkSession
spark = SparkSession.builder.appName("survivor").getOrCreate()
context = spark.sparkContext
flag = sys.argv[1]
def work(number):
    deadline = time.time() + 60
    while not os.path.exists(flag) and time.time() < deadline:
        time.sleep(0.1)
    return number
while context._jsc.sc().getExecutorMemoryStatus().size() < 3:
    time.sleep(0.1)
print("WORKING", flush=True)
print("SUM", context.parallelize(range(8), 8).map(work).sum(), flush=True)
spark.stop()
"""


def test_a_job_survives_the_loss_of_a_core_node_and_hdfs_heals_with_a_new_one(cluster):
    cluster.master.write("home/hadoop/survivor.py", JOB)
    cluster.master.write("home/hadoop/kept.txt", "kept\n")
    cluster.run("hdfs", "dfs", "-put", "kept.txt", "/kept.txt")
    flag = cluster.master.path("mnt", "tmp", "go")
    said = cluster.master.path("home/hadoop/survivor.out")
    with said.open("wb") as out:
        job = subprocess.Popen(
            ["spark-submit", "--num-executors", "2", "survivor.py", str(flag)],
            env=login(cluster.master),
            cwd=cluster.master.path("home/hadoop"),
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    assert until(lambda: "WORKING" in said.read_text(), 60, lambda: job.poll() is not None), said.read_text()
    driver_side = next(node for node in cluster.core if running(node, "org.apache.spark.deploy.yarn.ExecutorLauncher"))
    lost = next(member for member in cluster.site.members if member.node in cluster.core and member.node != driver_side)
    for process in lost.node.processes():
        process.kill()
    assert until(lambda: not lost.node.processes(), 10)
    # The NameNode and the ResourceManager notice by silence.
    assert until(lambda: cluster.hdfs("FSNamesystem")["UnderReplicatedBlocks"] > 0, 40)
    assert cluster.hdfs("FSNamesystemState")["NumDeadDataNodes"] == 1
    assert until(lambda: cluster.yarn("metrics")["clusterMetrics"]["lostNodes"] == 1, 40)
    assert cluster.run("hdfs", "dfs", "-cat", "/kept.txt") == "kept\n"
    flag.touch()
    assert job.wait(90) == 0, said.read_text()
    assert "SUM 28" in said.read_text()

    cluster.site.members.remove(lost)
    new = cluster.add("CORE")
    start_up(cluster.site, [new])
    assert new.node.name in cluster.master.path("etc/hosts").read_text()
    assert until(lambda: cluster.hdfs("FSNamesystem")["UnderReplicatedBlocks"] == 0, 40)
    lost.node.stop()


@pytest.fixture
def alone(home, region, request):
    """A cluster of one node, of the configurations the test is parametrized with; not started."""
    made = make_cluster(home, "j-ALONE", region.endpoint, 0, getattr(request, "param", ()))
    yield made
    made.end()


def test_a_single_node_is_a_whole_cluster_and_its_end_leaves_no_process(alone):
    start_up(alone.site)
    metrics = alone.yarn("metrics")["clusterMetrics"]
    assert (metrics["activeNodes"], metrics["totalMB"]) == (1, 12288)
    alone.master.write(
        "home/hadoop/forever.py",
        "from pyspark.sql import SparkSession\nimport time\n"
        "SparkSession.builder.getOrCreate().sparkContext.parallelize([1], 1).foreach(lambda _: time.sleep(600))\n",
    )
    alone.master.run(["spark-submit", "forever.py"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert until(lambda: running(alone.master, "pyspark.daemon"), 60)
    living = alone.master.processes()
    alone.master.stop()
    assert alone.master.processes() == []
    assert not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in living)
    with pytest.raises(ProcessLookupError):
        alone.master.run(["true"])


@pytest.mark.parametrize(
    ("alone", "daemon"),
    [
        (
            [{"Classification": "yarn-site", "Properties": {"yarn.nodemanager.resource.memory-mb": "lots"}}],
            "nodemanager",
        )
    ],
    indirect=["alone"],
)
def test_a_wrong_value_is_a_clear_error_with_daemon_node_and_reason(alone, daemon):
    with pytest.raises(LabError) as caught:
        start_up(alone.site)
    message = str(caught.value)
    assert f"{daemon} on {alone.master.name}" in message
    assert 'For input string: "lots"' in message


def test_a_start_that_is_called_off_ends_at_once(alone):
    begun = time.monotonic()
    with pytest.raises(Cancelled):
        start_up(alone.site, stopped=lambda: time.monotonic() - begun > 0.5)
    assert time.monotonic() - begun < 5
