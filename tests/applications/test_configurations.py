"""``Configurations`` reach the files and the engines that read them."""

from __future__ import annotations

import psutil
import pytest

from emrlab.nodes.waiting import OPENER

pytestmark = pytest.mark.engine


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("io.file.buffer.size", "12345"),
        ("dfs.replication", "2"),
    ],
)
def test_core_and_hdfs_site_reach_commands(cluster, key, value):
    assert cluster.run("hdfs", "getconf", "-confKey", key).strip() == value


def test_yarn_site_reaches_the_resource_manager_whatever_its_characters(cluster):
    with OPENER.open(f"http://{cluster.master.address}:8088/conf?name=yarn.lab.word", timeout=10) as answer:
        assert b"from &amp; &lt;yarn>" in answer.read().replace(b"&gt;", b">")


def test_mapred_site_reaches_every_node(cluster):
    for member in cluster.site.members:
        text = member.node.path("etc/hadoop/conf/mapred-site.xml").read_text()
        assert "<name>mapreduce.job.maps</name><value>7</value>" in text


def test_capacity_scheduler_makes_queues(cluster):
    scheduler = cluster.yarn("scheduler")["scheduler"]["schedulerInfo"]
    queues = {queue["queueName"]: queue["capacity"] for queue in scheduler["queues"]["queue"]}
    assert queues == {"default": 75.0, "lab": 25.0}


def test_hadoop_log4j_is_appended(cluster):
    lines = cluster.master.path("etc/hadoop/conf/log4j.properties").read_text().splitlines()
    assert lines[-1] == "log4j.logger.lab=DEBUG"


def test_exports_of_hadoop_env_reach_commands_and_logins(cluster):
    assert "HADOOP_LAB_WORD=seen" in cluster.run("hadoop", "envvars")
    assert cluster.run("bash", "-c", "echo $HADOOP_LAB_WORD").strip() == "seen"


def test_options_of_a_daemon_reach_that_daemon_alone(cluster):
    node = cluster.core[0]
    flags = {name: psutil.Process(process.pid).cmdline() for name, process in node.daemons.items()}
    assert "-Dlab.word=heard" in flags["datanode"]
    assert "-Dlab.word=heard" not in flags["nodemanager"]


def test_exports_of_spark_env_may_name_other_variables(cluster):
    assert cluster.run("bash", "-c", "echo $SPARK_LAB_WORD").strip() == cluster.master.name
    assert 'SPARK_LAB_WORD="$HOSTNAME"' in cluster.master.path("etc/spark/conf/spark-env.sh").read_text()
