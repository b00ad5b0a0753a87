"""HDFS on a real cluster."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def words(cluster: Any) -> str:
    cluster.master.write("home/hadoop/words.txt", "to be or not to be\n" * 100)
    cluster.run("hdfs", "dfs", "-mkdir", "-p", "/words")
    cluster.run("hdfs", "dfs", "-put", "words.txt", "/words/")
    return "/words/words.txt"


def test_a_file_comes_back_as_it_was_put(cluster, words):
    assert cluster.run("hdfs", "dfs", "-cat", words) == "to be or not to be\n" * 100


def test_fsck_shows_a_replica_on_each_core_node(cluster, words):
    said = cluster.run("hdfs", "fsck", words, "-files", "-blocks", "-locations")
    assert "Live_repl=2" in said
    assert "is HEALTHY" in said
    for node in cluster.core:
        assert f"{node.address}:9866" in said


def test_blocks_lie_on_the_disks_of_the_core_nodes(cluster, words):
    for node in cluster.core:
        assert list(node.path("mnt", "hdfs").rglob("blk_*"))


def test_both_core_nodes_are_live_by_their_names(cluster):
    said = cluster.run("hdfs", "dfsadmin", "-report")
    assert "Live datanodes (2)" in said
    for node in cluster.core:
        assert f"Hostname: {node.name}" in said


def test_home_and_folders_of_a_new_cluster_are_there(cluster):
    said = cluster.run("hadoop", "fs", "-ls", "-d", "/user/hadoop", "/tmp", "/var/log/spark/apps")
    assert said.count("hadoop") >= 3


def test_everything_belongs_to_the_group_of_hdfs_administrators(cluster):
    said = cluster.run("hadoop", "fs", "-ls", "-d", "/", "/tmp")
    assert said.count("hadoop hdfsadmingroup") == 2


def test_what_is_not_there_ends_with_a_status_and_a_reason(cluster):
    said = cluster.run("hdfs", "dfs", "-cat", "/no/such/file", status=1)
    assert "No such file or directory" in said


def test_an_unknown_subcommand_names_the_known_ones(cluster):
    assert "fsck" in cluster.run("hdfs", "fsk", status=2)


def test_two_commands_at_once_do_not_hinder_each_other(cluster):
    said = cluster.run("bash", "-c", "for i in 1 2; do hdfs dfs -test -d /tmp && echo yes & done; wait")
    assert said.split() == ["yes", "yes"]
