"""Every node's own instance metadata service: who it is, its role's credentials, its end."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime

import pytest

from emrlab.emr import machines
from emrlab.emr.access import metadata
from emrlab.emr.access.security import key
from emrlab.emr.account import SecurityConfiguration
from emrlab.emr.records import Cluster, Instance

from .conftest import ACCOUNT, step

ROLES = {"JobFlowRole": "EMR_EC2_DefaultRole", "ServiceRole": "EMR_DefaultRole"}


@pytest.fixture
def running(emr, launch, identities):
    """A cluster whose nodes have a role: its life, and its instances, the master first."""

    def running(**more):
        life = launch(**{**ROLES, **more}).until_state("WAITING")
        found = sorted(emr.history.of(Instance, life.id), key=lambda one: one.role != "MASTER")
        for one in found:
            until_served(one.address)
        return life, found

    return running


def until_served(address):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            get(address, "/")
        except OSError:
            continue
        return
    raise AssertionError("no metadata")


def request(address, method, path, **headers):
    connection = http.client.HTTPConnection(address, metadata.PORT, timeout=5)
    try:
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        reply = connection.getresponse()
        return reply.status, reply.read().decode()
    finally:
        connection.close()


def get(address, path, **headers):
    return request(address, "GET", path, **headers)


def data(address, path):
    status, body = get(address, f"/latest/meta-data/{path}")
    assert status == 200, (path, status)
    return body


def token(address, seconds=60):
    return request(address, "PUT", "/latest/api/token", X_aws_ec2_metadata_token_ttl_seconds=str(seconds))[1]


def test_each_node_tells_who_it_is(running):
    life, instances = running(Tags=[{"Key": "team", "Value": "blue"}])
    assert len({one.address for one in instances}) == 2
    for one in instances:
        assert data(one.address, "instance-id") == one.ec2
        assert data(one.address, "instance-type") == "m5.xlarge"
        assert data(one.address, "local-ipv4") == one.address
        assert data(one.address, "local-hostname") == data(one.address, "hostname") == one.name
        assert data(one.address, "placement/availability-zone") == "us-east-1a"
        assert data(one.address, "placement/region") == "us-east-1"
        assert data(one.address, "instance-life-cycle") == "on-demand"
        assert data(one.address, "tags/instance/team") == "blue"
        assert data(one.address, "tags/instance/aws:elasticmapreduce:job-flow-id") == life.id
        document = json.loads(get(one.address, "/latest/dynamic/instance-identity/document")[1])
        assert (document["instanceId"], document["accountId"], document["privateIp"]) == (one.ec2, ACCOUNT, one.address)


def test_folders_are_listed(running):
    _, (master, _) = running()
    assert get(master.address, "/") == (200, "latest")
    assert get(master.address, "/latest/")[1].split() == ["dynamic/", "meta-data/"]
    listed = data(master.address, "").split()
    assert {"instance-id", "iam/", "placement/"} <= set(listed)
    assert "spot/" not in listed
    assert data(master.address, "iam/").split() == ["info", "security-credentials/"]
    for path in (
        "/latest/meta-data/nothing",
        "/latest/meta-data/instance-id/more",
        "/2009-04-04/",
        "/latest/user-data",
    ):
        assert get(master.address, path)[0] == 404


def test_a_token_is_good_for_its_node_and_time(running):
    _, (master, core) = running()
    found = token(master.address)
    path = "/latest/meta-data/instance-id"
    assert get(master.address, path, X_aws_ec2_metadata_token=found) == (200, master.ec2)
    assert get(core.address, path, X_aws_ec2_metadata_token=found)[0] == 401
    assert get(master.address, path, X_aws_ec2_metadata_token="made-up")[0] == 401
    for seconds in ("0", "21601", "soon", ""):
        status, _ = request(master.address, "PUT", "/latest/api/token", X_aws_ec2_metadata_token_ttl_seconds=seconds)
        assert status == 400
    assert request(master.address, "PUT", "/latest/api/token")[0] == 400
    relayed = {"X_aws_ec2_metadata_token_ttl_seconds": "60", "X_Forwarded_For": "10.0.0.1"}
    assert request(master.address, "PUT", "/latest/api/token", **relayed)[0] == 403


def test_version_1_is_off_when_the_security_configuration_says_so(emr, running):
    document = json.dumps(
        {
            "InstanceMetadataServiceConfiguration": {
                "MinimumInstanceMetadataServiceVersion": 2,
                "HttpPutResponseHopLimit": 1,
            }
        }
    )
    name = key(ACCOUNT, "us-east-1", "imds2")
    emr.history.add(
        SecurityConfiguration(
            id=name, cluster="", state="ACTIVE", account=ACCOUNT, region="us-east-1", name="imds2", document=document
        )
    )
    _, (master, _) = running()
    with emr.history.changing(Cluster, master.cluster) as cluster:
        cluster.security_configuration = "imds2"
    path = "/latest/meta-data/instance-id"
    assert get(master.address, path)[0] == 401
    assert get(master.address, path, X_aws_ec2_metadata_token=token(master.address)) == (200, master.ec2)


def test_credentials_are_the_roles_and_each_node_has_its_own(running, identities):
    _, (master, core) = running()
    (role,) = data(master.address, "iam/security-credentials/").split()
    assert role == "EMR_EC2_DefaultRole"
    told = json.loads(data(master.address, f"iam/security-credentials/{role}"))
    assert (told["Code"], told["Type"]) == ("Success", "AWS-HMAC")
    assert datetime.strptime(told["Expiration"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC) > datetime.now(UTC)
    assert json.loads(data(master.address, f"iam/security-credentials/{role}")) == told  # no new session each time
    assert json.loads(data(core.address, f"iam/security-credentials/{role}"))["AccessKeyId"] != told["AccessKeyId"]
    arn = f"arn:aws:iam::{ACCOUNT}:role/EMR_EC2_DefaultRole"
    assert identities.sessions == [f"{arn}/{master.ec2}", f"{arn}/{core.ec2}"]
    info = json.loads(data(master.address, "iam/info"))
    assert info["InstanceProfileArn"] == f"arn:aws:iam::{ACCOUNT}:instance-profile/EMR_EC2_DefaultRole"


def test_credentials_that_are_about_to_end_are_replaced(running, identities):
    _, (master, _) = running()
    identities.seconds = metadata.FRESH_SECONDS - 1
    first = json.loads(data(master.address, "iam/security-credentials/EMR_EC2_DefaultRole"))
    second = json.loads(data(master.address, "iam/security-credentials/EMR_EC2_DefaultRole"))
    assert first["AccessKeyId"] != second["AccessKeyId"]


def test_a_role_that_does_not_trust_ec2_gives_no_credentials(running, identities):
    _, (master, _) = running()
    identities.distrusting.add("EMR_EC2_DefaultRole")
    told = json.loads(data(master.address, "iam/security-credentials/EMR_EC2_DefaultRole"))
    assert told["Code"] == "AssumeRoleUnauthorizedAccess"
    assert "AccessKeyId" not in told


def test_a_node_without_a_role_has_no_iam(emr, launch, identities):
    life = launch().until_state("WAITING")
    (master, *_) = emr.history.of(Instance, life.id)
    until_served(master.address)
    assert "iam/" not in data(master.address, "").split()
    assert get(master.address, "/latest/meta-data/iam/security-credentials/")[0] == 404


def test_a_spot_instance_is_told_of_its_end(emr, running):
    _, (_, core) = running()
    assert get(core.address, "/latest/meta-data/spot/instance-action")[0] == 404
    with emr.history.changing(Instance, core.id) as now:
        now.notice = datetime(2026, 9, 18, 8, 22, tzinfo=UTC).timestamp()
    assert json.loads(data(core.address, "spot/instance-action")) == {
        "action": "terminate",
        "time": "2026-09-18T08:22:00Z",
    }
    assert data(core.address, "spot/termination-time") == "2026-09-18T08:22:00Z"


def test_one_thread_serves_all_and_nothing_is_left(emr, running):
    life, instances = running()
    assert [one.name for one in threading.enumerate()].count("metadata") == 1
    life.ask("TerminateJobFlows", JobFlowIds=[life.id])
    life.until_state("TERMINATED")
    deadline = time.monotonic() + 10
    for one in instances:
        while time.monotonic() < deadline:
            try:
                get(one.address, "/")
            except OSError:
                break
        else:
            raise AssertionError("still served")
    emr.metadata.stop()
    assert not any(one.name.startswith("metadata") for one in threading.enumerate())


def test_a_process_on_a_node_signs_as_the_nodes_role(emr, running):
    """botocore itself, in the environment of a step."""
    life, (master, _) = running()
    script = (
        "import botocore.session as s; c = s.Session().get_credentials(); f = c.get_frozen_credentials(); "
        "print(c.method, f.access_key, f.token)"
    )
    life.add(step("sign", sys.executable, "-c", script))
    life.until(lambda life: life.step_states() == ["COMPLETED"])
    (step_id,) = (one["Id"] for one in life.steps())
    folder = emr.home.clusters / life.id / master.ec2 / "var/log/hadoop/steps" / step_id
    assert (folder / "stdout").read_text().split() == ["iam-role", "ASIA0000000000000001", "token"]


def test_without_a_profile_nodes_sign_as_the_account(emr, launch):
    life = launch().until_state("WAITING")
    driver = emr.drivers[life.id]
    environment = driver.machines.master.environment
    assert environment["AWS_ACCESS_KEY_ID"] == ACCOUNT
    assert driver.machines.site.keys == (ACCOUNT, machines.SECRET)


def test_a_profile_that_is_not_there_is_refused(ask, launch, identities):
    from emrlab.errors import AwsError

    with pytest.raises(AwsError) as failed:
        launch(JobFlowRole="nobody")
    assert (failed.value.code, str(failed.value)) == ("ValidationException", "Invalid InstanceProfile: nobody.")
    with pytest.raises(AwsError) as failed:
        launch(JobFlowRole="empty")
    assert failed.value.code == "AccessDeniedException"
    assert str(failed.value) == f"Failed to authorize instance profile arn:aws:iam::{ACCOUNT}:instance-profile/empty."
    assert ask("ListClusters")["Clusters"] == []


def test_a_service_role_that_is_not_there_ends_the_cluster(launch, identities):
    life = launch(ServiceRole="nobody").until_state("TERMINATED_WITH_ERRORS")
    assert life.reason == {
        "Code": "VALIDATION_ERROR",
        "Message": f"EMR service role arn:aws:iam::{ACCOUNT}:role/nobody is invalid",
    }


def test_the_regions_own_keys_do_not_reach_a_node_with_a_role(emr, running):
    _, (master, _) = running()
    node = emr.drivers[master.cluster].machines.master
    assert node.environment["AWS_ACCESS_KEY_ID"] == ""
    assert node.environment["AWS_SHARED_CREDENTIALS_FILE"] != os.environ.get("AWS_SHARED_CREDENTIALS_FILE")
    listed = subprocess.run(
        ["bash", "-c", "env | grep ^AWS_EC2"], env=node.environment, capture_output=True, text=True, check=True
    ).stdout
    assert f"AWS_EC2_METADATA_SERVICE_ENDPOINT=http://{master.address}:{metadata.PORT}" in listed
    assert "AWS_EC2_METADATA_DISABLED=false" in listed
