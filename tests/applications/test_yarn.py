"""YARN's accounting, names and addresses."""

from __future__ import annotations

import psutil
import pytest

from emrlab.applications.hadoop import archive

pytestmark = pytest.mark.engine


def test_yarn_offers_what_emr_says_an_m5_xlarge_offers(cluster):
    metrics = cluster.yarn("metrics")["clusterMetrics"]
    assert metrics["activeNodes"] == 2
    assert metrics["totalMB"] == 2 * 12288
    assert metrics["totalVirtualCores"] == 2 * 4


def test_nodes_have_the_names_that_ec2_gives(cluster):
    nodes = cluster.yarn("nodes?states=RUNNING")["nodes"]["node"]
    assert sorted(node["nodeHostName"] for node in nodes) == sorted(node.name for node in cluster.core)
    said = cluster.run("yarn", "node", "-list")
    assert "Total Nodes:2" in said


def test_everything_listens_on_the_nodes_own_addresses(cluster):
    nodes = [member.node for member in cluster.site.members]
    for node in nodes:
        found = {
            connection.laddr.ip
            for process in node.processes()
            for connection in process.net_connections()
            if connection.status == psutil.CONN_LISTEN
        }
        assert found
        assert found <= {node.address, "127.0.0.1"}


def test_daemons_share_one_class_data_archive(cluster):
    assert archive().build()
    for member in cluster.site.members:
        for process in member.node.daemons.values():
            maps = psutil.Process(process.pid).memory_maps()
            assert str(archive().path) in {found.path for found in maps}
