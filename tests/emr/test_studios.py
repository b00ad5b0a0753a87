"""EMR Studios and who may use them."""

from __future__ import annotations

import re

import pytest

from emrlab.emr.operations import studios
from emrlab.errors import AwsError

from .conftest import ACCOUNT
from .network import Network

OTHER = "210987654321"
ROLE, POLICY = "arn:aws:iam::123456789012:role/studio", "arn:aws:iam::123456789012:policy/basic"
BASE = {
    "Name": "ours",
    "AuthMode": "IAM",
    "VpcId": "vpc-1",
    "SubnetIds": ["subnet-1", "subnet-2"],
    "ServiceRole": ROLE,
    "WorkspaceSecurityGroupId": "sg-1",
    "EngineSecurityGroupId": "sg-2",
    "DefaultS3Location": "s3://bucket/studio",
}
SSO = BASE | {"AuthMode": "SSO", "UserRole": ROLE}


@pytest.fixture(autouse=True)
def network(monkeypatch, bucket):
    found = Network()
    monkeypatch.setattr(studios, "EC2", lambda *_: found)
    monkeypatch.setattr(studios, "S3", lambda *_: bucket)
    return found


@pytest.fixture
def studio(ask):
    return ask("CreateStudio", **SSO)["StudioId"]


def test_a_studio_tells_all_that_it_was_given(ask):
    more = {
        "Description": "for all",
        "IdpAuthUrl": "https://idp.example/login",
        "IdpRelayStateParameterName": "RelayState",
        "EncryptionKeyArn": "arn:aws:kms:us-east-1:123456789012:key/a",
    }
    made = ask("CreateStudio", **BASE, **more, Tags=[{"Key": "team", "Value": "a"}])
    told = ask("DescribeStudio", StudioId=made["StudioId"])["Studio"]
    assert re.fullmatch("es-[0-9A-Z]{25}", made["StudioId"])
    assert told["StudioArn"] == f"arn:aws:elasticmapreduce:us-east-1:{ACCOUNT}:studio/{made['StudioId']}"
    assert told["Url"] == made["Url"]
    assert made["Url"] == f"http://127.0.0.1:1/_emrlab/studios/{made['StudioId']}"  # never one of AWS's
    assert told["Tags"] == [{"Key": "team", "Value": "a"}]
    assert {name: told[name] for name in BASE | more} == BASE | more
    (listed,) = ask("ListStudios")["Studios"]
    assert {name: told[name] for name in listed} == listed


REFUSED = {
    "no name": ({"Name": " "}, "needs a name"),
    "SSO without a user role": ({"AuthMode": "SSO"}, "UserRole must be specified .* IAM Identity Center"),
    "IAM with a user role": ({"UserRole": ROLE}, "UserRole must not be specified .* IAM authentication"),
    "IAM with Identity Center": ({"IdcUserAssignment": "REQUIRED"}, "IdcUserAssignment must not be specified"),
    "SSO with an identity provider": (
        {"AuthMode": "SSO", "UserRole": ROLE, "IdpAuthUrl": "https://x"},
        "IdpAuthUrl must not be specified .* IAM Identity Center",
    ),
    "no VPC": ({"VpcId": "vpc-none"}, "The vpc ID 'vpc-none' does not exist"),
    "no subnet": ({"SubnetIds": []}, "needs a subnet"),
    "too many subnets": ({"SubnetIds": [f"subnet-{one}" for one in range(1, 7)]}, "maximum of 5 subnets"),
    "a subnet that is not there": ({"SubnetIds": ["subnet-1", "subnet-x"]}, "subnet ID 'subnet-x' does not exist"),
    "another VPC's subnet": ({"SubnetIds": ["subnet-9"]}, "'subnet-9' is not in the VPC 'vpc-1'"),
    "a group that is not there": ({"EngineSecurityGroupId": "sg-x"}, "security group 'sg-x' does not exist"),
    "another VPC's group": ({"VpcId": "vpc-2", "SubnetIds": ["subnet-9"]}, "'sg-1' is not in the VPC 'vpc-2'"),
    "a local folder": ({"DefaultS3Location": "/tmp"}, "'/tmp' is not a place in S3"),
    "a bucket that is not there": (
        {"DefaultS3Location": "s3://nowhere/x"},
        "does not have permission to access the 'S3 Location' 's3://nowhere/x'",
    ),
    "a tag without a key": ({"Tags": [{"Value": "x"}]}, "needs a Key"),
    "too many tags": ({"Tags": [{"Key": str(one)} for one in range(51)]}, "may have 50 tags"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_studio_cannot_have_is_refused_and_nothing_made(ask, name):
    changed, said = REFUSED[name]
    with pytest.raises(AwsError, match=said):
        ask("CreateStudio", **(BASE | changed))
    assert ask("ListStudios")["Studios"] == []


def test_trusted_identity_propagation_is_not_taken_in_silence(ask):
    with pytest.raises(AwsError, match=r"Trusted identity propagation, .* is not emulated"):
        ask("CreateStudio", **SSO, TrustedIdentityPropagationEnabled=True)
    assert ask("CreateStudio", **SSO, TrustedIdentityPropagationEnabled=False)


def test_an_account_has_a_hundred_studios_at_most(ask, monkeypatch):
    monkeypatch.setattr(studios, "STUDIOS", 2)
    ask("CreateStudio", **BASE)
    ask("CreateStudio", **BASE)
    with pytest.raises(AwsError, match="may have 2 Studios"):
        ask("CreateStudio", **BASE)
    ask("CreateStudio", account=OTHER, **BASE)


def test_studios_come_in_pages(ask, monkeypatch):
    monkeypatch.setattr(studios, "PAGE", 2)
    made = [ask("CreateStudio", **BASE)["StudioId"] for _ in range(3)]
    first = ask("ListStudios")
    second = ask("ListStudios", Marker=first["Marker"])
    assert [one["StudioId"] for one in first["Studios"] + second["Studios"]] == made
    assert "Marker" not in second


def test_an_update_changes_what_it_names_and_nothing_else(ask, studio):
    before = ask("DescribeStudio", StudioId=studio)["Studio"]
    changed = {"Name": "new", "Description": "better", "SubnetIds": ["subnet-3", "subnet-2", "subnet-1"]}
    ask("UpdateStudio", StudioId=studio, **changed)
    assert ask("DescribeStudio", StudioId=studio)["Studio"] == before | changed


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"SubnetIds": ["subnet-1", "subnet-3"]}, "cannot be removed from a Studio. Missing: subnet-2"),
        ({"SubnetIds": ["subnet-1", "subnet-2", "subnet-9"]}, "'subnet-9' is not in the VPC"),
        ({"SubnetIds": ["subnet-1", "subnet-2", "subnet-x"]}, "does not exist"),
        ({"Name": ""}, "needs a name"),
        ({"DefaultS3Location": "s3://nowhere"}, "does not have permission"),
    ],
)
def test_a_wrong_update_changes_nothing(ask, studio, changed, said):
    before = ask("DescribeStudio", StudioId=studio)
    with pytest.raises(AwsError, match=said):
        ask("UpdateStudio", StudioId=studio, Description="x", **changed)
    assert ask("DescribeStudio", StudioId=studio) == before


def test_a_studio_takes_tags_by_its_id(ask, studio):
    ask("AddTags", ResourceId=studio, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    ask("RemoveTags", ResourceId=studio, TagKeys=["a"])
    assert ask("DescribeStudio", StudioId=studio)["Studio"]["Tags"] == [{"Key": "b", "Value": "2"}]
    with pytest.raises(AwsError, match="not valid"):
        ask("AddTags", account=OTHER, ResourceId=studio, Tags=[{"Key": "a"}])


def test_a_studio_is_its_accounts_alone_and_gone_when_deleted(ask, studio):
    asked = [("DescribeStudio", {}), ("UpdateStudio", {"Name": "x"}), ("DeleteStudio", {})]
    for account in (OTHER, ACCOUNT):
        for operation, more in asked:
            if account == ACCOUNT and operation == "DescribeStudio":
                ask("DeleteStudio", StudioId=studio)
            with pytest.raises(AwsError, match="Studio does not exist") as refused:
                ask(operation, account=account, StudioId=studio, **more)
            assert refused.value.code == "InvalidRequestException"


# Who may use one


def user(studio, name="ann", **more):
    return {"StudioId": studio, "IdentityName": name, "IdentityType": "USER", **more}


def test_a_mapping_tells_its_policy_and_when_it_changed(ask, studio):
    ask("CreateStudioSessionMapping", **user(studio), SessionPolicyArn=POLICY)
    told = ask("GetStudioSessionMapping", **user(studio))["SessionMapping"]
    assert (told["IdentityName"], told["IdentityType"], told["SessionPolicyArn"]) == ("ann", "USER", POLICY)
    ask("UpdateStudioSessionMapping", **user(studio), SessionPolicyArn=POLICY + "2")
    after = ask("GetStudioSessionMapping", **user(studio))["SessionMapping"]
    assert after["SessionPolicyArn"] == POLICY + "2"
    assert after["LastModifiedTime"] > told["LastModifiedTime"]
    assert after["CreationTime"] == told["CreationTime"]
    ask("DeleteStudioSessionMapping", **user(studio))
    for operation in ("GetStudioSessionMapping", "DeleteStudioSessionMapping"):
        with pytest.raises(AwsError, match=r"Studio session mapping does not exist\."):
            ask(operation, **user(studio))


def test_a_user_and_a_group_of_one_name_are_two(ask, studio):
    group = user(studio) | {"IdentityType": "GROUP"}
    ask("CreateStudioSessionMapping", **user(studio), SessionPolicyArn=POLICY)
    ask("CreateStudioSessionMapping", **group, SessionPolicyArn=POLICY)
    with pytest.raises(AwsError, match="already exists"):
        ask("CreateStudioSessionMapping", **group, SessionPolicyArn=POLICY)
    assert len(ask("ListStudioSessionMappings", StudioId=studio)["SessionMappings"]) == 2
    (one,) = ask("ListStudioSessionMappings", IdentityType="GROUP")["SessionMappings"]
    assert (one["StudioId"], one["IdentityType"]) == (studio, "GROUP")
    assert ask("ListStudioSessionMappings", account=OTHER)["SessionMappings"] == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"IdentityId": "90679d5c-1111"}, "must be specified, but not both"),
        ({"IdentityName": ""}, "must be specified, but not both"),
        ({"SessionPolicyArn": ROLE}, "is not the ARN of an IAM policy"),
        ({"StudioId": "es-none"}, "Studio does not exist"),
    ],
)
def test_a_wrong_mapping_is_refused(ask, studio, changed, said):
    with pytest.raises(AwsError, match=said):
        ask("CreateStudioSessionMapping", **(user(studio, SessionPolicyArn=POLICY) | changed))
    assert ask("ListStudioSessionMappings")["SessionMappings"] == []


def test_users_of_a_studio_with_iam_authentication_are_iams(ask):
    studio = ask("CreateStudio", **BASE)["StudioId"]
    with pytest.raises(AwsError, match="needs a Studio that uses IAM Identity Center"):
        ask("CreateStudioSessionMapping", **user(studio), SessionPolicyArn=POLICY)


def test_a_studio_has_five_groups_at_most_and_more_users(ask, studio):
    for kind, count in (("GROUP", 5), ("USER", 6)):
        for number in range(count):
            wanted = user(studio, str(number), SessionPolicyArn=POLICY) | {"IdentityType": kind}
            ask("CreateStudioSessionMapping", **wanted)
    with pytest.raises(AwsError, match="may have 5 session mappings of type GROUP"):
        ask("CreateStudioSessionMapping", **(user(studio, "x", SessionPolicyArn=POLICY) | {"IdentityType": "GROUP"}))


def test_a_deleted_studio_takes_its_mappings_with_it(ask, studio):
    other = ask("CreateStudio", **SSO)["StudioId"]
    for one in (studio, other):
        ask("CreateStudioSessionMapping", **user(one), SessionPolicyArn=POLICY)
    ask("DeleteStudio", StudioId=studio)
    assert [one["StudioId"] for one in ask("ListStudioSessionMappings")["SessionMappings"]] == [other]
