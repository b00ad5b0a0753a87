"""CloudTrail: who did what, found by LookupEvents and delivered by trails."""

from __future__ import annotations

import gzip
import json
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from emrlab.home import Home
from emrlab.region import audit_record, audit_store, control, trails
from emrlab.region.audit import Audit
from emrlab.region.audit_store import AuditStore, Kept
from emrlab.region.owners import service
from emrlab.region.protocol import Call

ALL = {"Effect": "Allow", "Action": "*", "Resource": "*"}
EVERYTHING = json.dumps({"Version": "2012-10-17", "Statement": [ALL]})
Aws = Callable[..., Any]
region_test = pytest.mark.region


@pytest.fixture(scope="module", autouse=True)
def fast_clock() -> Iterator[None]:
    """Five lab-minutes are half a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMRLAB_CLOCK", "600")
        yield


def events(aws: Aws, **attribute: str) -> list[dict[str, Any]]:
    """The event history's newest 50, of one attribute; each record with the summary it came in."""
    wanted = [{"AttributeKey": name, "AttributeValue": value} for name, value in attribute.items()]
    found = aws("cloudtrail").lookup_events(LookupAttributes=wanted)["Events"]
    return [{**json.loads(one.pop("CloudTrailEvent")), "summary": one} for one in found]


@pytest.fixture(scope="module")
def alice(aws: Aws) -> dict[str, str]:
    """A user's keys, as a client takes them."""
    iam = aws("iam")
    iam.create_user(UserName="alice")
    iam.put_user_policy(UserName="alice", PolicyName="all", PolicyDocument=EVERYTHING)
    key = iam.create_access_key(UserName="alice")["AccessKey"]
    return {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}


@pytest.fixture(scope="module")
def session(aws: Aws) -> dict[str, str]:
    """Keys of a session of the role ``labs/admin``."""
    trust = {"Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": "sts:AssumeRole"}
    iam = aws("iam")
    role = iam.create_role(
        RoleName="admin",
        Path="/labs/",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )["Role"]
    iam.put_role_policy(RoleName="admin", PolicyName="all", PolicyDocument=EVERYTHING)
    got = aws("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="bob")["Credentials"]
    return {
        "aws_access_key_id": got["AccessKeyId"],
        "aws_secret_access_key": got["SecretAccessKey"],
        "aws_session_token": got["SessionToken"],
    }


@region_test
def test_a_call_of_a_user(aws: Aws, alice: dict[str, str]) -> None:
    before = datetime.now(UTC)
    made = aws("emr", **alice).create_security_configuration(Name="strict", SecurityConfiguration="{}")
    (one,) = events(aws, ResourceName="strict")
    user = one["userIdentity"]
    assert re.fullmatch("AIDA[A-Z0-9]+", user.pop("principalId"))
    assert user == {
        "type": "IAMUser",
        "arn": "arn:aws:iam::123456789012:user/alice",
        "accountId": "123456789012",
        "accessKeyId": alice["aws_access_key_id"],
        "userName": "alice",
    }
    told = {name: one[name] for name in ("eventSource", "eventName", "awsRegion", "sourceIPAddress", "readOnly")}
    assert told == {
        "eventSource": "elasticmapreduce.amazonaws.com",
        "eventName": "CreateSecurityConfiguration",
        "awsRegion": "us-east-1",
        "sourceIPAddress": "127.0.0.1",
        "readOnly": False,
    }
    assert one["requestParameters"] == {"name": "strict", "securityConfiguration": "{}"}
    assert one["responseElements"]["name"] == "strict"
    assert one["requestID"] == made["ResponseMetadata"]["RequestId"]
    assert one["userAgent"].startswith("Boto3/")
    assert (one["eventType"], one["eventCategory"], one["managementEvent"]) == ("AwsApiCall", "Management", True)
    assert one["recipientAccountId"] == "123456789012"
    assert "errorCode" not in one
    summary = one["summary"]
    assert (summary["EventId"], summary["Username"], summary["ReadOnly"]) == (one["eventID"], "alice", "false")
    assert before - timedelta(seconds=1) < summary["EventTime"] < datetime.now(UTC)
    assert summary["Resources"] == [{"ResourceType": "AWS::EMR::SecurityConfiguration", "ResourceName": "strict"}]


@region_test
def test_a_call_of_a_role_that_fails(aws: Aws, session: dict[str, str]) -> None:
    with pytest.raises(ClientError):
        aws("emr", **session).describe_cluster(ClusterId="j-0000000000000")
    (one,) = events(aws, ResourceName="j-0000000000000")
    who = one["userIdentity"]
    assert who["arn"] == "arn:aws:sts::123456789012:assumed-role/admin/bob"
    assert (who["type"], who["accessKeyId"]) == ("AssumedRole", session["aws_access_key_id"])
    assert "userName" not in who
    issuer = who["sessionContext"]["sessionIssuer"]
    assert who["principalId"] == f"{issuer.pop('principalId')}:bob"
    assert issuer == {
        "type": "Role",
        "arn": "arn:aws:iam::123456789012:role/labs/admin",
        "accountId": "123456789012",
        "userName": "admin",
    }
    assert who["sessionContext"]["attributes"]["mfaAuthenticated"] == "false"
    assert (one["errorCode"], one["errorMessage"]) == (
        "InvalidRequestException",
        "Cluster id 'j-0000000000000' is not valid.",
    )
    assert one["readOnly"] is True
    assert one["responseElements"] is None
    assert one["summary"]["Username"] == "bob"
    assert "DescribeCluster" in [each["eventName"] for each in events(aws, Username="bob")]


@region_test
def test_a_call_of_the_root_user(aws: Aws) -> None:
    aws("emr").list_clusters()
    one = events(aws, EventName="ListClusters")[0]
    assert one["userIdentity"] == {
        "type": "Root",
        "principalId": "123456789012",
        "arn": "arn:aws:iam::123456789012:root",
        "accountId": "123456789012",
        "accessKeyId": "test",
    }
    assert one["summary"]["Username"] == "root"
    assert one["requestParameters"] is None


@region_test
def test_who_deletes_the_own_key_is_known(aws: Aws) -> None:
    iam = aws("iam")
    iam.create_user(UserName="frank")
    iam.put_user_policy(UserName="frank", PolicyName="all", PolicyDocument=EVERYTHING)
    key = iam.create_access_key(UserName="frank")["AccessKey"]
    own = aws("iam", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])
    own.get_user()
    events(aws, Username="frank")  # recorded by now
    own.delete_access_key(UserName="frank", AccessKeyId=key["AccessKeyId"])
    assert [one["eventName"] for one in events(aws, Username="frank")] == ["DeleteAccessKey", "GetUser"]


@region_test
def test_what_the_model_forbids_is_recorded_too(aws: Aws) -> None:
    with pytest.raises(ClientError) as refused:
        aws("emr").list_steps(ClusterId="j-1", StepStates=["SLEEPING"])
    one = events(aws, ResourceName="j-1")[0]
    assert one["errorCode"] == refused.value.response["Error"]["Code"]
    assert one["requestParameters"] == {"clusterId": "j-1", "stepStates": ["SLEEPING"]}


@region_test
def test_borrowed_services_are_recorded_with_who_it_was(aws: Aws, alice: dict[str, str]) -> None:
    aws("s3", **alice).create_bucket(Bucket="alices")
    aws("sqs", **alice).create_queue(QueueName="alices-queue")
    aws("iam", **alice).create_role(RoleName="alices-role", AssumeRolePolicyDocument=EVERYTHING)
    found = {one["eventName"]: one for one in events(aws, Username="alice")}
    assert {name: found[name]["eventSource"] for name in ("CreateBucket", "CreateQueue", "CreateRole")} == {
        "CreateBucket": "s3.amazonaws.com",
        "CreateQueue": "sqs.amazonaws.com",
        "CreateRole": "iam.amazonaws.com",
    }
    assert found["CreateBucket"]["requestParameters"]["bucket"] == "alices"
    assert found["CreateQueue"]["responseElements"]["queueUrl"].endswith("alices-queue")
    assert found["CreateRole"]["responseElements"]["role"]["roleName"] == "alices-role"
    assert [one["eventName"] for one in events(aws, ResourceName="alices")] == ["CreateBucket"]


@region_test
def test_what_emr_asks_iam_is_emrs(aws: Aws) -> None:
    with pytest.raises(ClientError):
        aws("emr").run_job_flow(
            Name="n",
            ReleaseLabel="emr-7.9.0",
            Instances={"InstanceCount": 1, "MasterInstanceType": "m5.xlarge"},
            JobFlowRole="nobodys",
            ServiceRole="nobodys",
        )
    found = events(aws, Username="elasticmapreduce.amazonaws.com")
    assert found
    assert {one["sourceIPAddress"] for one in found} == {"elasticmapreduce.amazonaws.com"}
    assert {one["userIdentity"]["type"] for one in found} == {"AWSService"}


@region_test
def test_what_is_secret_is_hidden(aws: Aws) -> None:
    aws("iam").create_user(UserName="carol")
    secret = aws("iam").create_access_key(UserName="carol")["AccessKey"]["SecretAccessKey"]
    aws("secretsmanager").create_secret(Name="password", SecretString="kept")
    text = json.dumps([*events(aws, ResourceName="carol"), *events(aws, EventName="CreateSecret")], default=str)
    assert "HIDDEN_DUE_TO_SECURITY_REASONS" in text
    assert secret not in text
    assert '"kept"' not in text


@region_test
def test_data_events_are_none_of_the_history(aws: Aws) -> None:
    aws("s3").create_bucket(Bucket="data")
    aws("s3").put_object(Bucket="data", Key="x", Body=b"x")
    aws("s3").list_objects_v2(Bucket="data")
    assert [one["eventName"] for one in events(aws, ResourceName="data")] == ["CreateBucket"]


@region_test
def test_calls_of_iam_are_events_of_one_region(aws: Aws) -> None:
    aws("iam", region_name="eu-west-1").create_user(UserName="dora")
    (one,) = events(aws, ResourceName="dora")
    assert one["awsRegion"] == "us-east-1"


@region_test
def test_accounts_and_regions_have_events_of_their_own(aws: Aws) -> None:
    other = {"aws_access_key_id": "210987654321", "aws_secret_access_key": "test"}
    aws("emr", **other).list_studios()
    aws("emr", region_name="eu-west-1").list_studios()
    for more, account in ((other, "210987654321"), ({"region_name": "eu-west-1"}, "123456789012")):
        found = aws("cloudtrail", **more).lookup_events(
            LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "ListStudios"}]
        )["Events"]
        assert [json.loads(one["CloudTrailEvent"])["recipientAccountId"] for one in found] == [account]
    assert events(aws, EventName="ListStudios") == []


@region_test
def test_the_history_has_pages(aws: Aws) -> None:
    for _ in range(7):
        aws("emr").list_security_configurations()
    pages = (
        aws("cloudtrail")
        .get_paginator("lookup_events")
        .paginate(
            LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "ListSecurityConfigurations"}],
            PaginationConfig={"PageSize": 3},
        )
    )
    sizes = [[one["EventId"] for one in page["Events"]] for page in pages]
    assert [len(one) for one in sizes] == [3, 3, 1]
    assert len({one for page in sizes for one in page}) == 7


@region_test
@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"NextToken": "x"}, "InvalidNextTokenException"),
        (
            {
                "LookupAttributes": [
                    {"AttributeKey": "EventName", "AttributeValue": "x"},
                    {"AttributeKey": "Username", "AttributeValue": "x"},
                ]
            },
            "InvalidLookupAttributesException",
        ),
        ({"StartTime": datetime(2026, 1, 2), "EndTime": datetime(2026, 1, 1)}, "InvalidTimeRangeException"),
    ],
)
def test_what_cannot_be_looked_up(aws: Aws, asked: dict[str, Any], code: str) -> None:
    with pytest.raises(ClientError) as refused:
        aws("cloudtrail").lookup_events(**asked)
    assert refused.value.response["Error"]["Code"] == code


@region_test
def test_events_have_a_time(aws: Aws) -> None:
    aws("emr").list_release_labels()
    trail = aws("cloudtrail")
    name = [{"AttributeKey": "EventName", "AttributeValue": "ListReleaseLabels"}]
    hour, now = timedelta(hours=1), datetime.now(UTC)
    assert trail.lookup_events(LookupAttributes=name, StartTime=now - hour, EndTime=now + hour)["Events"]
    assert trail.lookup_events(LookupAttributes=name, EndTime=now - hour)["Events"] == []


def delivered(aws: Aws, bucket: str, name: str, seconds: float = 30) -> tuple[list[str], list[dict[str, Any]]]:
    """Keys and records of a bucket, as soon as it has one of ``name``."""
    s3, deadline = aws("s3"), time.monotonic() + seconds
    while True:
        keys = [one["Key"] for one in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]
        found = [
            record
            for key in keys
            for record in json.loads(gzip.decompress(s3.get_object(Bucket=bucket, Key=key)["Body"].read()))["Records"]
        ]
        if any(one["eventName"] == name for one in found):
            return keys, found
        assert time.monotonic() < deadline, [one["eventName"] for one in found]
        time.sleep(0.1)


@region_test
def test_a_trail_delivers_to_s3(aws: Aws, alice: dict[str, str]) -> None:
    trail = aws("cloudtrail")
    aws("s3").create_bucket(Bucket="trail")
    aws("emr").list_notebook_executions()  # before anybody logs
    second = int(time.time())
    while int(time.time()) == second:  # a trail's begin is a whole second
        time.sleep(0.01)
    trail.create_trail(Name="all", S3BucketName="trail", S3KeyPrefix="my/logs", IsMultiRegionTrail=True)
    trail.start_logging(Name="all")
    aws("emr", **alice).get_block_public_access_configuration()
    keys, found = delivered(aws, "trail", "GetBlockPublicAccessConfiguration")
    day = datetime.now(UTC)
    assert all(
        re.fullmatch(
            r"my/logs/AWSLogs/123456789012/CloudTrail/us-east-1/20\d\d/\d\d/\d\d/"
            rf"123456789012_CloudTrail_us-east-1_{day:%Y}\d{{4}}T\d{{4}}Z_[A-Za-z0-9]{{16}}\.json\.gz",
            key,
        )
        for key in keys
    )
    assert "ListNotebookExecutions" not in [one["eventName"] for one in found]
    (one,) = [each for each in found if each["eventName"] == "GetBlockPublicAccessConfiguration"]
    assert one["userIdentity"]["userName"] == "alice"
    assert trail.get_trail_status(Name="all")["LatestDeliveryTime"].year == day.year
    ids = [each["eventID"] for each in found]
    assert len(ids) == len(set(ids))


@region_test
def test_a_trail_delivers_what_its_selectors_want_and_says_when_it_cannot(aws: Aws) -> None:
    trail = aws("cloudtrail")
    aws("s3").create_bucket(Bucket="writes")
    for name, bucket in (("writes", "writes"), ("lost", "nowhere")):
        trail.create_trail(Name=name, S3BucketName=bucket)
        trail.put_event_selectors(TrailName=name, EventSelectors=[{"ReadWriteType": "WriteOnly"}])
        trail.start_logging(Name=name)
    aws("emr").list_clusters()
    aws("emr").create_security_configuration(Name="writes", SecurityConfiguration="{}")
    _, found = delivered(aws, "writes", "CreateSecurityConfiguration")
    assert {one["readOnly"] for one in found} == {False}
    deadline = time.monotonic() + 20
    while "LatestDeliveryError" not in (told := trail.get_trail_status(Name="lost")):
        assert time.monotonic() < deadline, told
        time.sleep(0.1)
    assert told["LatestDeliveryError"] == "NoSuchBucket"


@region_test
def test_what_a_trail_logs_eventbridge_hears(aws: Aws) -> None:
    trail, sqs, bridge = aws("cloudtrail"), aws("sqs"), aws("events")
    aws("s3").create_bucket(Bucket="heard")
    trail.create_trail(Name="heard", S3BucketName="heard")
    trail.start_logging(Name="heard")
    url = sqs.create_queue(QueueName="calls")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {
        "detail-type": ["AWS API Call via CloudTrail"],
        "detail": {"eventSource": ["elasticmapreduce.amazonaws.com"]},
    }
    bridge.put_rule(Name="calls", EventPattern=json.dumps(pattern))
    bridge.put_targets(Rule="calls", Targets=[{"Id": "1", "Arn": arn}])
    aws("emr").list_clusters()
    aws("emr").delete_security_configuration(Name="writes")
    messages: list[Any] = []
    deadline = time.monotonic() + 20
    while not messages:
        assert time.monotonic() < deadline
        messages = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", [])
    told = json.loads(messages[0]["Body"])
    assert (told["source"], told["detail"]["eventName"]) == ("aws.elasticmapreduce", "DeleteSecurityConfiguration")


@region_test
def test_the_history_outlives_the_region(home: Home, region: control.Region, aws: Aws) -> None:
    aws("emr").describe_release_label(ReleaseLabel="emr-7.9.0")
    (before,) = events(aws, EventName="DescribeReleaseLabel")
    control.down(home)
    control.up(home)
    (after,) = events(aws, EventName="DescribeReleaseLabel")
    assert after == before


# The pieces


def kept(number: int, name: str = "ListClusters", read_only: bool = True) -> Kept:
    body = {
        "awsRegion": "us-east-1",
        "eventID": str(number),
        "eventName": name,
        "eventSource": "elasticmapreduce.amazonaws.com",
        "readOnly": read_only,
        "userIdentity": {"accessKeyId": "test"},
    }
    return Kept("1", time.time(), "root", {"j-1": "AWS::EMR::Cluster"}, body)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[AuditStore]:
    found = AuditStore(tmp_path / "audit.sqlite")
    yield found
    found.close()


def test_many_reads_push_out_no_write(store: AuditStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_store, "KEPT", {"true": 5, "false": 5})
    store.add([kept(0, "RunJobFlow", False)])
    store.add(kept(number) for number in range(1, 101))
    store.prune()
    found, _ = store.find("1", "us-east-1", {}, None, None, 50)
    assert [one["EventId"] for one in found] == ["100", "99", "98", "97", "96", "0"]
    assert store.base.execute("select count(*) from resources").fetchone() == (6,)


def test_old_events_are_forgotten(store: AuditStore) -> None:
    old = kept(1)
    store.add([Kept(old.account, time.time() - 91 * 86400, old.username, {}, old.body), kept(2)])
    store.prune()
    assert [one["EventId"] for one in store.find("1", "us-east-1", {}, None, None, 50)[0]] == ["2"]


def test_a_full_disk_costs_records_and_nothing_else(store: AuditStore, caplog: pytest.LogCaptureFixture) -> None:
    audit = Audit(store, lambda *_: None)
    store.close()
    audit.write()
    assert "were not recorded" in caplog.text


BODY = {
    "eventSource": "elasticmapreduce.amazonaws.com",
    "eventName": "RunJobFlow",
    "readOnly": False,
    "userIdentity": {"arn": "arn:aws:iam::1:user/alice"},
    "eventCategory": "Management",
}


def fields(**of: dict[str, list[str]]) -> dict[str, Any]:
    return {"FieldSelectors": [{"Field": name.replace("__", "."), **one} for name, one in of.items()]}


@pytest.mark.parametrize(
    ("selector", "wanted"),
    [
        ({}, True),
        ({"ReadWriteType": "WriteOnly"}, True),
        ({"ReadWriteType": "ReadOnly"}, False),
        ({"IncludeManagementEvents": False}, False),
        ({"ExcludeManagementEventSources": ["kms.amazonaws.com"]}, True),
        ({"ExcludeManagementEventSources": ["elasticmapreduce.amazonaws.com"]}, False),
        (fields(eventCategory={"Equals": ["Management"]}), True),
        (fields(eventCategory={"Equals": ["Data"]}), False),
        (fields(eventCategory={"Equals": ["Management"]}, readOnly={"Equals": ["true"]}), False),
        (fields(eventName={"StartsWith": ["Run", "Add"]}), True),
        (fields(eventName={"NotEquals": ["RunJobFlow"]}), False),
        (fields(userIdentity__arn={"EndsWith": ["/alice"]}), True),
    ],
)
def test_selectors(selector: dict[str, Any], wanted: bool) -> None:
    assert trails.wants([selector], BODY) is wanted


def test_parameters_as_cloudtrail_writes_them() -> None:
    shape = Call("emr", "RunJobFlow", "json").shape.input_shape
    given = {
        "Name": "n",
        "Instances": {"Ec2KeyName": "k", "InstanceGroups": [{"EbsConfiguration": {"EbsOptimized": True}}]},
        "Configurations": [{"Classification": "core-site", "Properties": {"Fs.Name": "x"}}],
        "KerberosAttributes": {"Realm": "R", "KdcAdminPassword": "geheim", "ADDomainJoinUser": "u"},
    }
    assert audit_record.written(shape, given) == {
        "name": "n",
        "instances": {"ec2KeyName": "k", "instanceGroups": [{"ebsConfiguration": {"ebsOptimized": True}}]},
        "configurations": [{"classification": "core-site", "properties": {"Fs.Name": "x"}}],
        "kerberosAttributes": {
            "realm": "R",
            "kdcAdminPassword": "HIDDEN_DUE_TO_SECURITY_REASONS",
            "aDDomainJoinUser": "u",
        },
    }
    shape = Call("emr", "ListClusters", "json").shape.input_shape
    moment = datetime(2023, 7, 19, 21, 5, 9, tzinfo=UTC)
    assert audit_record.written(shape, {"CreatedAfter": moment}) == {"createdAfter": "Jul 19, 2023 9:05:09 PM"}


def test_what_is_too_large_is_left_out() -> None:
    assert audit_record.bounded({"a": "x" * 100_001}) is None
    assert audit_record.bounded({"a": "x" * 1000}) == {"a": "x" * 1000}


def test_what_emr_does_itself_is_told_so() -> None:
    agent, root = "elasticmapreduce.amazonaws.com", {"userArn": "arn:aws:iam::123456789012:root", "userId": "1"}
    who = audit_record.identity("123456789012", "123456789012", root, agent)
    assert who == {"type": "AWSService", "invokedBy": agent}
    assert audit_record.user_name(who) == agent
    assert audit_record.identity("test", "123456789012", root, agent)["type"] == "Root"


def test_who_is_not_known_is_told_so() -> None:
    who = audit_record.identity("AKIA0", "123456789012", None)
    assert who == {"type": "Unknown", "accountId": "123456789012", "accessKeyId": "AKIA0"}


def test_every_operation_of_emr_is_a_management_event() -> None:
    emr = service("elasticmapreduce")
    assert emr
    call = Call("emr", "RunJobFlow", "json")
    assert not audit_record.is_data(emr, call)
    assert not audit_record.reads(call)
    for name in ("DescribeCluster", "ListSteps", "GetManagedScalingPolicy"):
        assert audit_record.reads(Call("emr", name, "json"))
