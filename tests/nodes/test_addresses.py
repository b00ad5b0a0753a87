"""Addresses of nodes: a range per cluster, given back by the kernel when its owner dies."""

from __future__ import annotations

import ipaddress
import socket
import subprocess
import sys
from itertools import islice

import pytest

from emrlab.errors import LabError
from emrlab.nodes import addresses


@pytest.fixture
def claimed():
    found = addresses.claim("a test's own key")
    yield found
    found.release()


def test_every_address_is_loopback_and_given_once(claimed):
    taken = [claimed.take() for _ in range(50)]
    assert len(set(taken)) == 50
    assert all(ipaddress.ip_address(one).is_loopback for one in taken)
    assert {one.rpartition(".")[0] for one in taken} == {claimed.prefix}


def test_a_socket_can_listen_at_a_taken_address(claimed):
    with socket.socket() as server:
        server.bind((claimed.take(), 0))


def test_two_clusters_of_one_key_never_share_a_range(claimed):
    other = addresses.claim("a test's own key")
    assert other.prefix != claimed.prefix
    other.release()


def test_a_released_range_can_be_claimed_again():
    first = addresses.claim("again and again")
    first.release()
    second = addresses.claim("again and again")
    assert second.prefix == first.prefix
    second.release()


def test_release_twice_is_harmless(claimed):
    claimed.release()
    claimed.release()


def test_a_range_comes_back_when_its_owner_is_killed():
    code = "from emrlab.nodes import addresses as a; r = a.claim('owner'); print(r.prefix, flush=True); input()"
    owner = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert owner.stdin is not None
    assert owner.stdout is not None
    with owner.stdin, owner.stdout:
        prefix = owner.stdout.readline().strip()
        owner.kill()
        owner.wait(10)
    found = addresses.claim("owner")
    assert found.prefix == prefix
    found.release()


def test_a_cluster_that_had_all_its_addresses_says_so(claimed):
    for _ in addresses.HOSTS:
        claimed.take()
    with pytest.raises(LabError, match="240 nodes"):
        claimed.take()


def test_ranges_keep_away_from_what_systems_use():
    seen = list(addresses.prefixes("any"))
    assert len(set(seen)) == addresses.COUNT
    assert {int(one.split(".")[1]) for one in seen} == set(range(64, 128))


def test_keys_begin_at_different_places():
    assert list(islice(addresses.prefixes("one"), 3)) != list(islice(addresses.prefixes("two"), 3))


def test_where_all_ranges_are_taken_it_says_what_to_do(monkeypatch, claimed):
    monkeypatch.setattr(addresses, "prefixes", lambda key: iter([claimed.prefix]))
    with pytest.raises(LabError, match="emrlab status"):
        addresses.claim("any")


def test_elsewhere_than_on_linux_it_names_the_ways_out(monkeypatch):
    monkeypatch.setattr(addresses.sys, "platform", "darwin")
    with pytest.raises(LabError, match="WSL 2"):
        addresses.claim("any")


def test_private_names_are_as_ec2_makes_them():
    assert addresses.private_name("127.64.0.10") == "ip-127-64-0-10.ec2.internal"
