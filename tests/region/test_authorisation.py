"""Whose policies count: IAM users and role sessions meet theirs at every service, the account's root meets none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from emrlab.region import control

pytestmark = pytest.mark.region
ACCOUNT = "123456789012"
CLUSTERS = f"arn:aws:elasticmapreduce:us-east-1:{ACCOUNT}:cluster"
ROLE = f"arn:aws:iam::{ACCOUNT}:role"
Client = Callable[..., Any]


@pytest.fixture
def client(region: control.Region) -> Client:
    """``client("emr", key, secret, token)``; without a key: the account's root."""

    def client(service: str, key: str = "test", secret: str = "test", token: str | None = None) -> Any:
        return boto3.session.Session().client(
            service,
            region_name="us-east-1",
            endpoint_url=region.endpoint,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=Config(
                retries={"total_max_attempts": 1},
                signature_version="s3v4" if service == "s3" else None,
                s3={"addressing_style": "path"},
            ),
        )

    return client


@pytest.fixture
def user(client: Client) -> Callable[..., tuple[str, str]]:
    """``user(statement, …)``: an access key of a new user who may do what the statements say."""
    iam = client("iam")
    number = len(iam.list_users()["Users"])

    def user(*statements: dict[str, Any]) -> tuple[str, str]:
        nonlocal number
        number += 1
        name = f"user-{number}"
        iam.create_user(UserName=name)
        if statements:
            iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=document(*statements))
        made = iam.create_access_key(UserName=name)["AccessKey"]
        return made["AccessKeyId"], made["SecretAccessKey"]

    return user


def allow(*actions: str, on: str | list[str] = "*", **conditions: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"Effect": "Allow", "Action": list(actions), "Resource": on}
    return found | ({"Condition": conditions} if conditions else {})


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def refused(call: Callable[..., Any], **params: Any) -> dict[str, Any]:
    with pytest.raises(ClientError) as failed:
        call(**params)
    return {**failed.value.response["Error"], **failed.value.response["ResponseMetadata"]}


def cluster(emr: Any, tags: dict[str, str] | None = None, **more: Any) -> str:
    """A cluster that ends as soon as it starts, for its service role is nobody; its record and tags stay."""
    told = [{"Key": key, "Value": value} for key, value in (tags or {}).items()]
    found = emr.run_job_flow(**wanted(Tags=told, **more))
    return str(found["JobFlowId"])


def wanted(**more: Any) -> dict[str, Any]:
    instances = {"InstanceCount": 1, "MasterInstanceType": "m5.xlarge", "KeepJobFlowAliveWhenNoSteps": True}
    return {
        "Name": "authorised",
        "ReleaseLabel": "emr-7.9.0",
        "Instances": instances,
        "ServiceRole": "nobody",
        **more,
    }


def test_root_meets_no_policy(client):
    assert client("emr").list_clusters()["Clusters"] == []


def test_a_user_without_policies_may_do_nothing(client, user):
    key = user()
    error = refused(client("emr", *key).list_clusters)
    assert error["Code"] == "AccessDeniedException"
    assert error["HTTPStatusCode"] == 400
    name = client("sts", *key).get_caller_identity()["Arn"]
    assert error["Message"] == (
        f"User: {name} is not authorized to perform: elasticmapreduce:ListClusters on resource: * "
        "because no identity-based policy allows the elasticmapreduce:ListClusters action"
    )


def test_a_user_sees_the_clusters_with_the_tag_of_the_policy_alone(client, user):
    mine, other = cluster(client("emr"), {"team": "blue"}), cluster(client("emr"), {"team": "red"})
    for prefix in ("elasticmapreduce", "aws"):
        condition = {f"{prefix}:ResourceTag/team": "blue"}
        emr = client("emr", *user(allow("elasticmapreduce:DescribeCluster", StringEquals=condition)))
        assert emr.describe_cluster(ClusterId=mine)["Cluster"]["Id"] == mine
        assert f"on resource: {CLUSTERS}/{other} because" in refused(emr.describe_cluster, ClusterId=other)["Message"]
        assert refused(emr.list_steps, ClusterId=mine)["Code"] == "AccessDeniedException"


def test_a_launch_needs_the_tags_that_the_policy_wants(client, user):
    condition = {"elasticmapreduce:RequestTag/team": "blue"}
    passed = allow("iam:PassRole", on=f"{ROLE}/nobody")
    emr = client("emr", *user(allow("elasticmapreduce:RunJobFlow", StringEquals=condition), passed))
    assert f"elasticmapreduce:RunJobFlow on resource: {CLUSTERS}/* because" in refused(cluster, emr=emr)["Message"]
    assert cluster(emr, {"team": "blue"}).startswith("j-")


def test_a_policy_may_speak_of_its_user(client, user):
    """As EMR's own examples do: ``${aws:userid}``."""
    condition = {"elasticmapreduce:ResourceTag/creator": "${aws:username}"}
    key = user(allow("elasticmapreduce:DescribeCluster", StringEquals=condition))
    name = client("sts", *key).get_caller_identity()["Arn"].rpartition("/")[2]
    mine, other = cluster(client("emr"), {"creator": name}), cluster(client("emr"), {"creator": "somebody"})
    emr = client("emr", *key)
    assert emr.describe_cluster(ClusterId=mine)["Cluster"]["Id"] == mine
    assert refused(emr.describe_cluster, ClusterId=other)["Code"] == "AccessDeniedException"


def test_roles_must_be_passed(client, user):
    launch = allow("elasticmapreduce:RunJobFlow")
    pass_service = allow("iam:PassRole", on=f"{ROLE}/nobody")
    emr = client("emr", *user(launch))
    error = refused(cluster, emr=emr)
    assert error["Code"] == "AccessDeniedException"
    assert f"iam:PassRole on resource: {ROLE}/nobody because" in error["Message"]
    emr = client("emr", *user(launch, pass_service))
    error = refused(cluster, emr=emr, JobFlowRole="EMR_EC2_DefaultRole")
    assert f"iam:PassRole on resource: {ROLE}/EMR_EC2_DefaultRole because" in error["Message"]
    for service, passes in (("ec2.amazonaws.com", True), ("elasticmapreduce.amazonaws.com", False)):
        condition = {"iam:PassedToService": service}
        to_nodes = allow("iam:PassRole", on=f"{ROLE}/EMR_EC2_DefaultRole", StringEquals=condition)
        emr = client("emr", *user(launch, pass_service, to_nodes))
        if passes:
            assert cluster(emr, JobFlowRole="EMR_EC2_DefaultRole").startswith("j-")
        else:
            assert refused(cluster, emr=emr, JobFlowRole="EMR_EC2_DefaultRole")["Code"] == "AccessDeniedException"


def test_a_denial_wins_and_says_so(client, user):
    deny = {"Effect": "Deny", "Action": "elasticmapreduce:TerminateJobFlows", "Resource": "*"}
    emr = client("emr", *user(allow("elasticmapreduce:*"), deny))
    cluster_id = cluster(client("emr"))
    error = refused(emr.terminate_job_flows, JobFlowIds=[cluster_id])
    why = "with an explicit deny in an identity-based policy"
    assert error["Message"].endswith(f"on resource: {CLUSTERS}/{cluster_id} {why}")


def test_every_cluster_of_a_request_must_be_allowed(client, user):
    mine, other = cluster(client("emr")), cluster(client("emr"))
    emr = client("emr", *user(allow("elasticmapreduce:*", on=f"{CLUSTERS}/{mine}")))
    error = refused(emr.set_termination_protection, JobFlowIds=[mine, other], TerminationProtected=True)
    assert f"{CLUSTERS}/{other}" in error["Message"]


def test_a_roles_session_has_its_roles_policies(client):
    iam = client("iam")
    trust = document({"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"})
    role = iam.create_role(RoleName="reader", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    iam.attach_role_policy(RoleName="reader", PolicyArn="arn:aws:iam::aws:policy/AmazonEMRReadOnlyAccessPolicy_v2")
    made = client("sts").assume_role(RoleArn=role, RoleSessionName="me")["Credentials"]
    key = (made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])
    emr = client("emr", *key)
    assert "Clusters" in emr.list_clusters()
    error = refused(emr.terminate_job_flows, JobFlowIds=["j-NOTHERE"])
    assert error["Message"].startswith(f"User: arn:aws:sts::{ACCOUNT}:assumed-role/reader/me is not authorized")
    assert refused(client("emr", key[0], "wrong", key[2]).list_clusters)["Code"] == "InvalidSignatureException"
    assert refused(client("emr", key[0], key[1]).list_clusters)["Code"] == "UnrecognizedClientException"


def test_a_deleted_key_is_not_roots(client, user):
    key = user(allow("*"))
    assert "Clusters" in client("emr", *key).list_clusters()
    client("iam", *key).delete_access_key(AccessKeyId=key[0])
    error = refused(client("emr", *key).list_clusters)
    assert (error["Code"], error["Message"]) == (
        "UnrecognizedClientException",
        "The security token included in the request is invalid.",
    )
    assert refused(client("s3", *key).list_buckets)["Code"] == "InvalidAccessKeyId"
    assert refused(client("sqs", *key).list_queues)["Code"] == "InvalidClientTokenId"


def test_s3_asks_for_each_object(client, user):
    client("s3").create_bucket(Bucket="guarded")
    for name in ("open/one", "closed/one"):
        client("s3").put_object(Bucket="guarded", Key=name, Body=b"text")
    s3 = client("s3", *user(allow("s3:GetObject", on="arn:aws:s3:::guarded/open/*")))
    assert s3.get_object(Bucket="guarded", Key="open/one")["Body"].read() == b"text"
    error = refused(s3.get_object, Bucket="guarded", Key="closed/one")
    assert (error["Code"], error["HTTPStatusCode"]) == ("AccessDenied", 403)
    assert refused(s3.put_object, Bucket="guarded", Key="open/two", Body=b"more" * 9)["Code"] == "AccessDenied"
    assert refused(s3.list_objects_v2, Bucket="guarded")["Code"] == "AccessDenied"


def test_a_users_writes_are_whole(client, user):
    """Chunked and signed uploads reach the check and the bucket alike."""
    client("s3").create_bucket(Bucket="written")
    s3 = client("s3", *user(allow("s3:*", on=["arn:aws:s3:::written", "arn:aws:s3:::written/*"])))
    s3.put_object(Bucket="written", Key="a b/ü", Body=b"text" * 9999)
    assert s3.get_object(Bucket="written", Key="a b/ü")["Body"].read() == b"text" * 9999
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "written", "Key": "a b/ü"})
    assert urllib.request.urlopen(url).read() == b"text" * 9999
    assert s3.delete_objects(Bucket="written", Delete={"Objects": [{"Key": "a b/ü"}]})["Deleted"]


def test_borrowed_services_ask_too(client, user):
    sqs = client("sqs", *user(allow("sqs:CreateQueue")))
    sqs.create_queue(QueueName="mine")
    assert refused(sqs.list_queues)["Code"] == "AccessDenied"
    redshift = client("redshift", *user())
    assert "redshift:DescribeClusters" in refused(redshift.describe_clusters)["Message"]


def test_a_user_of_another_account_stays_there(client):
    iam = client("iam", "210987654321")
    iam.create_user(UserName="far")
    iam.put_user_policy(UserName="far", PolicyName="own", PolicyDocument=document(allow("*")))
    made = iam.create_access_key(UserName="far")["AccessKey"]
    key = (made["AccessKeyId"], made["SecretAccessKey"])
    assert client("sts", *key).get_caller_identity()["Account"] == "210987654321"
    cluster_id = cluster(client("emr"))
    assert "is not valid" in refused(client("emr", *key).describe_cluster, ClusterId=cluster_id)["Message"]
    assert client("s3", *key).list_buckets()["Owner"]


def test_a_role_that_trusts_somebody_else_cannot_be_assumed(client):
    trust = document({"Effect": "Allow", "Principal": {"AWS": "210987654321"}, "Action": "sts:AssumeRole"})
    role = client("iam").create_role(RoleName="theirs", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    assert refused(client("sts").assume_role, RoleArn=role, RoleSessionName="me")["Code"] == "AccessDenied"


def test_the_default_roles_are_there_once(client, region):
    iam = client("iam", "111122223333")
    names = {one["RoleName"] for one in iam.list_roles()["Roles"]}
    assert names == {"EMR_DefaultRole", "EMR_EC2_DefaultRole", "EMR_AutoScaling_DefaultRole"}
    profile = iam.get_instance_profile(InstanceProfileName="EMR_EC2_DefaultRole")["InstanceProfile"]
    assert [one["RoleName"] for one in profile["Roles"]] == ["EMR_EC2_DefaultRole"]
    (attached,) = iam.list_attached_role_policies(RoleName="EMR_AutoScaling_DefaultRole")["AttachedPolicies"]
    iam.detach_role_policy(RoleName="EMR_AutoScaling_DefaultRole", PolicyArn=attached["PolicyArn"])
    iam.delete_role(RoleName="EMR_AutoScaling_DefaultRole")
    assert client("emr", "111122223333").list_clusters()["Clusters"] == []
    assert refused(iam.get_role, RoleName="EMR_AutoScaling_DefaultRole")["Code"] == "NoSuchEntity"


def test_create_default_roles_is_content(region):
    env = {**os.environ, **control.environment(region)}
    command = [sys.executable, "-m", "awscli", "emr", "create-default-roles"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
