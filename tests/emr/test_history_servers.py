"""History servers off the cluster start on request and end when nobody looks; inside, a web server of the test's."""

from __future__ import annotations

import socket
import sys
import urllib.request
from functools import partial

import pytest

from emrlab.emr.interactive import event_logs, history_servers
from emrlab.emr.interactive.history_servers import DAEMON, PORT, OffCluster, off_cluster
from emrlab.emr.records import Cluster
from emrlab.nodes.node import Daemon, Node
from emrlab.nodes.waiting import listening, until
from emrlab.processes import owned

from .conftest import ACCOUNT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="nodes have addresses of their own on Linux alone")


def cluster(number: int) -> Cluster:
    return Cluster(
        f"j-{number}", f"j-{number}", "TERMINATED", ACCOUNT, "us-east-1", "gone", "emr-7.9.0", ["Spark"], True, False
    )


@pytest.fixture
def servers(emr, monkeypatch):
    """What the servers were started over. A test may set ``program``."""
    found = {"program": "-m http.server {port} --bind {address}", "over": []}

    def workstation(folder, owner, endpoint, region, keys, address, name):
        node = Node(folder, address, name, owner)
        node.make()
        return node

    def history_server(node, events):
        found["over"].append(events)
        command = [sys.executable, *found["program"].format(port=PORT, address=node.address).split()]
        return Daemon(DAEMON, command, "spark/spark-history-server-x.log", partial(listening, node.address, PORT))

    monkeypatch.setattr(history_servers, "workstation", workstation)
    monkeypatch.setattr(history_servers.spark, "history_server", history_server)
    monkeypatch.setattr(history_servers, "LOOK", 0.05)
    return found


def up(emr, number: int) -> OffCluster:
    made = off_cluster(emr, cluster(number))
    assert until(lambda: bool(made.server), 20), made.error
    return made


def server_process(emr) -> int:
    """The server's process."""
    (found,) = owned(emr.home)
    return found.pid


def test_it_serves_a_cluster_s_event_logs_at_an_address_of_its_own(emr, servers):
    first, second = up(emr, 1), up(emr, 2)
    assert servers["over"] == [f"file://{event_logs.folder(emr.home, one)}" for one in ("j-1", "j-2")]
    assert first.address != second.address
    assert off_cluster(emr, cluster(1)) is first  # the same again
    with urllib.request.urlopen(f"{first.server}/", timeout=5) as answer:
        assert answer.status == 200


def test_one_that_nobody_looks_at_ends_and_starts_anew_when_asked_for(emr, servers, monkeypatch):
    made = up(emr, 1)
    with socket.create_connection((made.address, PORT)):  # somebody looks
        assert until(lambda: history_servers.connected(server_process(emr)), 10)
        monkeypatch.setattr(history_servers, "UNUSED", 500)
        emr.clock.set(1000)
        assert not until(lambda: not made.is_alive(), 1.5)
    assert until(lambda: not made.is_alive(), 20)
    assert list(owned(emr.home)) == []
    emr.clock.set(1)
    assert up(emr, 1) is not made


def test_the_least_used_gives_way_to_a_third(emr, servers):
    first, second = up(emr, 1), up(emr, 2)
    off_cluster(emr, cluster(1))  # used again
    up(emr, 3)
    assert until(lambda: not second.is_alive(), 20)
    assert first.is_alive()


def test_one_that_does_not_come_up_tells_why(emr, servers):
    servers["program"] = "-m no.such.module"
    made = off_cluster(emr, cluster(1))
    assert until(lambda: not made.is_alive(), 20)
    assert "no.such" in made.error
    assert made.server == ""


def test_it_ends_with_the_region(emr, servers):
    made = up(emr, 1)
    emr.beside.stop(10)
    assert not made.is_alive()
    assert list(owned(emr.home)) == []
