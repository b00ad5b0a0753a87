"""What EMR keeps of an account, in a running region: checked against its EC2, S3 and STS, and there after a restart."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError

from emrlab.region import control

pytestmark = pytest.mark.region
AWS = Path(sys.executable).with_name("aws")
ROLE = "arn:aws:iam::123456789012:role/studio"


def cli(*arguments: str):
    done = subprocess.run([AWS, "emr", *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout.strip() else None


def until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to be"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def network(aws):
    """A VPC with a public and a private subnet, and a security group that is open to all on a port besides SSH's."""
    ec2 = aws("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    public, private = (
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24")["Subnet"]["SubnetId"] for number in (1, 2)
    )
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    ec2.associate_route_table(RouteTableId=table, SubnetId=public)
    group = ec2.create_security_group(GroupName="open", Description="x", VpcId=vpc)["GroupId"]
    for port in (22, 8088):
        ranges = [{"CidrIp": "0.0.0.0/0"}]
        rule = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": ranges}
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
    return {"vpc": vpc, "public": public, "private": private, "group": group}


def launched(aws, **instances):
    """A cluster that is on its way, or has ended already."""
    wanted = {"InstanceCount": 1, "MasterInstanceType": "m5.xlarge", **instances}
    return aws("emr").run_job_flow(Name="x", ReleaseLabel="emr-7.9.0", Instances=wanted)["JobFlowId"]


def status(aws, cluster):
    return aws("emr").describe_cluster(ClusterId=cluster)["Cluster"]["Status"]


def test_a_cluster_with_an_open_security_group_of_ec2_ends_before_it_begins(aws, network):
    cluster = launched(aws, EmrManagedMasterSecurityGroup=network["group"], Ec2SubnetId=network["public"])
    until(lambda: status(aws, cluster)["State"] == "TERMINATED_WITH_ERRORS")
    assert status(aws, cluster)["StateChangeReason"] == {
        "Code": "VALIDATION_ERROR",
        "Message": f"The EC2 Security Groups [{network['group']}] contain one or more ingress rules to ports other "
        "than [22] which allow public access.",
    }


def test_a_security_group_that_ec2_does_not_have_ends_its_cluster(aws):
    cluster = launched(aws, EmrManagedMasterSecurityGroup="sg-0123456789abcdef1")
    until(lambda: status(aws, cluster)["State"] == "TERMINATED_WITH_ERRORS")
    reason = status(aws, cluster)["StateChangeReason"]
    assert reason["Code"] == "VALIDATION_ERROR"
    assert "'sg-0123456789abcdef1' does not exist" in reason["Message"]


@pytest.mark.parametrize("permitted", [False, True])
def test_a_private_subnet_or_a_permitted_port_lets_it_through(aws, network, permitted):
    """Through to what comes next: there are no applications in this cache, so it is ended while it starts."""
    emr = aws("emr")
    ports = [{"MinRange": 22}, {"MinRange": 8000, "MaxRange": 8100}] if permitted else [{"MinRange": 22}]
    emr.put_block_public_access_configuration(
        BlockPublicAccessConfiguration={
            "BlockPublicSecurityGroupRules": True,
            "PermittedPublicSecurityGroupRuleRanges": ports,
        }
    )
    subnet = network["public" if permitted else "private"]
    cluster = launched(aws, EmrManagedMasterSecurityGroup=network["group"], Ec2SubnetId=subnet)
    until(lambda: emr.list_instances(ClusterId=cluster)["Instances"] or status(aws, cluster)["State"] != "STARTING")
    emr.terminate_job_flows(JobFlowIds=[cluster])
    until(lambda: status(aws, cluster)["State"].startswith("TERMINATED"))
    assert status(aws, cluster)["StateChangeReason"]["Code"] != "VALIDATION_ERROR"


def test_who_set_the_configuration_is_told_as_sts_knows_them(aws, region):
    aws("iam").create_user(UserName="ann")
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    aws("iam").put_user_policy(UserName="ann", PolicyName="all", PolicyDocument=json.dumps(everything))
    keys = aws("iam").create_access_key(UserName="ann")["AccessKey"]
    hers = boto3.session.Session(keys["AccessKeyId"], keys["SecretAccessKey"], region_name=region.name)
    emr = hers.client("emr", endpoint_url=region.endpoint)
    emr.put_block_public_access_configuration(BlockPublicAccessConfiguration={"BlockPublicSecurityGroupRules": False})
    told = aws("emr").get_block_public_access_configuration()
    assert told["BlockPublicAccessConfigurationMetadata"]["CreatedByArn"].endswith(":user/ann")
    assert told["BlockPublicAccessConfiguration"]["BlockPublicSecurityGroupRules"] is False


def test_a_studio_is_checked_against_the_regions_networks_and_buckets(aws, network):
    aws("s3").create_bucket(Bucket="studio-backup")
    wanted = {
        "Name": "Ours & yours",
        "AuthMode": "SSO",
        "VpcId": network["vpc"],
        "SubnetIds": [network["public"], network["private"]],
        "ServiceRole": ROLE,
        "UserRole": ROLE,
        "WorkspaceSecurityGroupId": network["group"],
        "EngineSecurityGroupId": network["group"],
        "DefaultS3Location": "s3://studio-backup/a",
    }
    emr = aws("emr")
    for name, other, said in (
        ("VpcId", "vpc-0123456789abcdef1", "does not exist"),
        ("SubnetIds", ["subnet-0123456789abcdef1"], "does not exist"),
        ("WorkspaceSecurityGroupId", "sg-0123456789abcdef1", "does not exist"),
        ("DefaultS3Location", "s3://no-such-bucket-here", "S3 Location"),
    ):
        with pytest.raises(ClientError, match=said):
            emr.create_studio(**(wanted | {name: other}))
    made = emr.create_studio(**wanted)
    with urllib.request.urlopen(made["Url"], timeout=10) as page:
        assert "<h1>Ours &amp; yours</h1>" in page.read().decode()
    for name in ("ann", "bob"):
        emr.create_studio_session_mapping(
            StudioId=made["StudioId"],
            IdentityName=name,
            IdentityType="USER",
            SessionPolicyArn="arn:aws:iam::123456789012:policy/basic",
        )
    mappings = list(emr.get_paginator("list_studio_session_mappings").paginate().search("SessionMappings"))
    assert [one["IdentityName"] for one in mappings] == ["ann", "bob"]
    studios = list(emr.get_paginator("list_studios").paginate().search("Studios"))
    assert [one["StudioId"] for one in studios] == [made["StudioId"]]
    cli("delete-studio", "--studio-id", made["StudioId"])
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(made["Url"], timeout=10)


def test_the_aws_cli_makes_lists_and_deletes_security_configurations(aws):
    document = {"EncryptionConfiguration": {"EnableInTransitEncryption": False, "EnableAtRestEncryption": False}}
    for number in range(53):
        aws("emr").create_security_configuration(Name=f"c{number:02}", SecurityConfiguration="{}")
    cli("create-security-configuration", "--name", "mine", "--security-configuration", json.dumps(document))
    listed = cli("list-security-configurations")["SecurityConfigurations"]
    assert [one["Name"] for one in listed] == [*(f"c{number:02}" for number in range(53)), "mine"]
    assert json.loads(cli("describe-security-configuration", "--name", "mine")["SecurityConfiguration"]) == document
    cli("delete-security-configuration", "--name", "mine")
    with pytest.raises(ClientError, match="with name 'mine' does not exist"):
        aws("emr").describe_security_configuration(Name="mine")


def test_all_of_it_is_there_when_the_region_comes_back(own, client_of):
    region = control.up(own)
    emr = client_of(region, "emr")
    emr.create_security_configuration(Name="mine", SecurityConfiguration="{}")
    emr.put_block_public_access_configuration(BlockPublicAccessConfiguration={"BlockPublicSecurityGroupRules": False})
    before = emr.get_block_public_access_configuration()
    control.down(own)
    emr = client_of(control.up(own), "emr")
    assert emr.describe_security_configuration(Name="mine")["SecurityConfiguration"] == "{}"
    after = emr.get_block_public_access_configuration()
    for name in ("BlockPublicAccessConfiguration", "BlockPublicAccessConfigurationMetadata"):
        assert after[name] == before[name]
    control.down(own)
