"""SSH to a cluster's nodes: for whom, from when, until when. What the server does there: ``tests/nodes``."""

from __future__ import annotations

import socket
import subprocess
import sys
from typing import Any

import pytest
from botocore.exceptions import ClientError

from emrlab.emr.access import ssh_access
from emrlab.nodes.ssh_gate import PORTS

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPoWHbCzZ1IvDIgm4ABk3AcjLUYrBKVd8gPzDyWsXHEP mine"


class KeyPairs:
    """EC2, as far as key pairs go. It knows ``mine``, and ``old`` that has no public half."""

    def describe_key_pairs(self, KeyNames: list[str], IncludePublicKey: bool) -> dict[str, Any]:
        (name,) = KeyNames
        if name not in ("mine", "old"):
            error = {"Code": "InvalidKeyPair.NotFound", "Message": f"The key pair '{name}' does not exist"}
            raise ClientError({"Error": error}, "DescribeKeyPairs")
        return {"KeyPairs": [{"KeyName": name, **({"PublicKey": KEY} if name == "mine" else {})}]}


@pytest.fixture(autouse=True)
def ec2(monkeypatch):
    monkeypatch.setattr(ssh_access, "client", lambda *_: KeyPairs())


def banner(address: str) -> bytes:
    """What an SSH server at ``address`` says first."""
    with socket.create_connection((address, PORTS[-1]), timeout=30) as connection:
        return connection.recv(8)


def listening(address: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((address, PORTS[-1])) == 0


def test_a_cluster_with_a_key_pair_answers_on_all_its_nodes_and_no_more_when_it_has_ended(launch, ask, place, bucket):
    life = launch(Instances={"Ec2KeyName": "mine"}).until_state("WAITING")
    assert life.told["Ec2InstanceAttributes"]["Ec2KeyName"] == "mine"
    instances = ask("ListInstances", ClusterId=life.id)["Instances"]
    addresses = [one["PublicDnsName"] for one in instances]
    assert life.told["MasterPublicDnsName"] in addresses
    for one in instances:
        keys = place.clusters / life.id / one["Ec2InstanceId"] / "home/hadoop/.ssh/authorized_keys"
        assert keys.read_text() == f"{KEY}\n"
        assert keys.stat().st_mode & 0o077 == 0
    assert [banner(address) for address in addresses] == [b"SSH-2.0-"] * 2
    ask("TerminateJobFlows", JobFlowIds=[life.id])
    life.until_state("TERMINATED")
    assert not any(map(listening, addresses))
    assert not [uri for uri in bucket.objects if "secure" in uri]  # who logged in is told on the node alone


def test_a_node_that_joins_later_answers_too(launch, ask):
    life = launch(Instances={"Ec2KeyName": "mine"}).until_state("WAITING")
    task = {"InstanceRole": "TASK", "InstanceType": "m5.xlarge", "InstanceCount": 1, "Market": "ON_DEMAND"}
    ask("AddInstanceGroups", JobFlowId=life.id, InstanceGroups=[task])

    def told() -> list[dict[str, Any]]:
        return ask("ListInstances", ClusterId=life.id, InstanceGroupTypes=["TASK"])["Instances"]

    life.until(lambda _: [one["Status"]["State"] for one in told()] == ["RUNNING"])
    assert banner(told()[0]["PublicDnsName"]) == b"SSH-2.0-"


def test_without_a_key_pair_nothing_listens(launch):
    life = launch().until_state("WAITING")
    assert not listening(life.told["MasterPublicDnsName"])


def test_a_key_pair_that_is_not_there_ends_the_cluster_before_it_has_a_node(launch, ask):
    """As on EMR, where RunJobFlow succeeds: "VALIDATION_ERROR_INVALID_SSH_KEY_NAME" of the Management Guide."""
    life = launch(Instances={"Ec2KeyName": "nobody-s"}).until_state("TERMINATED_WITH_ERRORS")
    assert life.reason == {"Code": "VALIDATION_ERROR", "Message": "The given SSH key name was invalid"}
    (detail,) = life.told["Status"]["ErrorDetails"]
    assert detail["ErrorCode"] == "VALIDATION_ERROR_INVALID_SSH_KEY_NAME"
    assert detail["ErrorData"][0]["ssh-key"] == "nobody-s"
    assert ask("ListInstances", ClusterId=life.id)["Instances"] == []


def test_a_key_pair_without_a_public_half_says_how_to_get_one(launch):
    life = launch(Instances={"Ec2KeyName": "old"}).until_state("TERMINATED_WITH_ERRORS")
    assert "Create it anew" in life.reason["Message"]


def test_the_region_itself_does_not_carry_the_ssh_library():
    code = "import sys, emrlab.emr.service; sys.exit('asyncssh' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
