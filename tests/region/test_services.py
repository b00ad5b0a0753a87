"""The AWS services of a running region, as clients see them."""

from __future__ import annotations

import hashlib
import http.client
import io
import os
import random
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import boto3
import botocore.session
import psutil
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ParamValidationError

from emrlab.region import control, credentials, models, owners
from emrlab.region.owners import Owner

pytestmark = pytest.mark.region
BORROWED = [one for one in owners.SERVICES.values() if one.owner is not Owner.EMRLAB]
AWS = Path(sys.executable).with_name("aws")


def raw(region, method, path, scope="", body=b"", **headers):
    """One HTTP request, signed for ``scope`` (empty: not signed): its status and body."""
    if scope:
        key = f"test/20260101/us-east-1/{scope}/aws4_request"
        headers["authorization"] = f"AWS4-HMAC-SHA256 Credential={key}, SignedHeaders=host, Signature=0f"
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    connection = http.client.HTTPConnection(region.endpoint.removeprefix("http://"), timeout=30)
    try:
        connection.request(method, path, body, sent)
        reply = connection.getresponse()
        return reply.status, reply.read()
    finally:
        connection.close()


def code(caught):
    return caught.value.response["Error"]["Code"]


# moto comes first: later tests load it


def mapped(region):
    """Whether the region's process has loaded moto's server, which brings this library along."""
    return any("markupsafe" in one.path for one in psutil.Process(region.pid).memory_maps())


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc is needed")
def test_moto_is_loaded_by_its_first_call(region, aws):
    assert not mapped(region)
    assert aws("redshift").describe_clusters()["Clusters"] == []
    assert mapped(region)


def test_an_operation_moto_lacks_is_said_not_to_be_emulated(aws):
    with pytest.raises(ClientError, match="not emulated here") as caught:
        aws("redshift").describe_cluster_tracks()
    assert code(caught) == "InvalidAction"
    with pytest.raises(ClientError, match="not emulated here") as caught:
        aws("lakeformation").get_work_unit_results(QueryId="q" * 36, WorkUnitId=1, WorkUnitToken="t")
    assert code(caught) == "UnknownOperationException"


# Who is answered


def test_a_service_that_is_not_emulated_is_refused(aws):
    with pytest.raises(ClientError, match="not emulated here") as caught:
        aws("comprehend").list_entity_recognizers()
    assert code(caught) == "UnknownOperationException"


@pytest.mark.parametrize("path", ["/", "/bucket/key", "/_ministack/reset", "/moto-api/reset"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_unsigned_request_is_refused(region, method, path):
    assert raw(region, method, path)[0] == 403


@pytest.mark.parametrize("scope", ["sqs", "redshift", "s3"])
@pytest.mark.parametrize("path", ["/_ministack/reset", "/moto-api/reset", "/_localstack/health"])
def test_what_emulators_offer_besides_aws_is_out_of_reach(region, aws, scope, path):
    aws("s3").create_bucket(Bucket=f"kept-{scope}-{abs(hash(path)) % 10**6}")
    before = len(aws("s3").list_buckets()["Buckets"])
    assert raw(region, "POST", path, scope)[0] in range(400, 500)
    assert len(aws("s3").list_buckets()["Buckets"]) == before


def test_every_account_sees_its_own(region, aws):
    other = boto3.client("s3", aws_access_key_id="210987654321", aws_secret_access_key="x", aws_session_token=None)
    aws("s3").create_bucket(Bucket="of-the-first")
    assert "of-the-first" not in [one["Name"] for one in other.list_buckets()["Buckets"]]
    assert aws("sts").get_caller_identity()["Account"] == region.account


# S3


def test_an_object_is_found_by_path_and_by_host(region, aws):
    aws("s3").create_bucket(Bucket="styles")
    aws("s3").put_object(Bucket="styles", Key="a/b c", Body=b"content")
    port = region.endpoint.rpartition(":")[2]
    assert raw(region, "GET", "/styles/a/b%20c", "s3") == (200, b"content")
    for host in (f"styles.localhost:{port}", f"styles.s3.localhost:{port}", f"styles.s3.us-east-1.localhost:{port}"):
        assert raw(region, "GET", "/a/b%20c", "s3", host=host) == (200, b"content")
    assert raw(region, "PUT", "/by-host", "s3", b"more", host=f"styles.localhost:{port}")[0] == 200
    assert aws("s3").get_object(Bucket="styles", Key="by-host")["Body"].read() == b"more"


def test_a_presigned_url_needs_no_client(region, aws):
    aws("s3").create_bucket(Bucket="presigned")
    aws("s3").put_object(Bucket="presigned", Key="k", Body=b"content")
    url = aws("s3").generate_presigned_url("get_object", Params={"Bucket": "presigned", "Key": "k"})
    assert raw(region, "GET", url.removeprefix(region.endpoint)) == (200, b"content")


def test_a_large_object_goes_up_in_parts_and_comes_back_in_ranges(aws):
    s3, size = aws("s3"), 50_000_000
    content = random.Random(1).randbytes(size)
    s3.create_bucket(Bucket="large")
    s3.upload_fileobj(io.BytesIO(content), "large", "k")
    head = s3.head_object(Bucket="large", Key="k")
    assert head["ContentLength"] == size
    assert head["ETag"].strip('"').endswith("-6")  # six parts of at most 8 MiB
    for asked, part in [
        ("bytes=0-0", content[:1]),
        ("bytes=8388600-8388620", content[8388600:8388621]),
        ("bytes=-7", content[-7:]),
        (f"bytes={size - 3}-{size + 100}", content[-3:]),
    ]:
        found = s3.get_object(Bucket="large", Key="k", Range=asked)
        assert found["ResponseMetadata"]["HTTPStatusCode"] == 206
        assert found["Body"].read() == part
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket="large", Key="k", Range=f"bytes={size}-")
    assert code(caught) == "InvalidRange"
    back = io.BytesIO()
    s3.download_fileobj("large", "k", back)
    assert hashlib.sha256(back.getvalue()).digest() == hashlib.sha256(content).digest()


@pytest.mark.parametrize("key", ["a b+c%25", "ü/€", "x/../y", "end/", "//", "k" * 1024, "health", "q?x=1&y#z", "a.tmp"])
def test_a_key_is_taken_as_it_is(aws, key):
    s3 = aws("s3")
    if "keys" not in [one["Name"] for one in s3.list_buckets()["Buckets"]]:
        s3.create_bucket(Bucket="keys")
    s3.put_object(Bucket="keys", Key=key, Body=key.encode())
    assert s3.get_object(Bucket="keys", Key=key)["Body"].read() == key.encode()
    assert key in [one["Key"] for one in s3.list_objects_v2(Bucket="keys")["Contents"]]
    s3.delete_object(Bucket="keys", Key=key)
    assert s3.list_objects_v2(Bucket="keys")["KeyCount"] == 0


def test_buckets_that_are_there_or_not_are_told_as_on_aws(aws):
    s3 = aws("s3")
    s3.create_bucket(Bucket="mine")
    s3.create_bucket(Bucket="mine")  # in us-east-1 the owner may ask twice
    other = boto3.client("s3", aws_access_key_id="210987654321", aws_secret_access_key="x")
    with pytest.raises(ClientError) as caught:
        other.create_bucket(Bucket="mine")
    assert code(caught) in ("BucketAlreadyExists", "BucketAlreadyOwnedByYou")
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket="nowhere", Key="k")
    assert code(caught) == "NoSuchBucket"
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket="mine", Key="k")
    assert code(caught) == "NoSuchKey"
    s3.put_object(Bucket="mine", Key="k", Body=b"")
    with pytest.raises(ClientError) as caught:
        s3.delete_bucket(Bucket="mine")
    assert code(caught) == "BucketNotEmpty"


# The AWS CLI, and whatever else the environment holds


def cli(region, *arguments):
    env = {**os.environ, **control.environment(region)}
    return subprocess.run([AWS, *arguments], env=env, capture_output=True, text=True, timeout=60, check=True).stdout


def test_the_aws_command_works(region, tmp_path):
    (tmp_path / "file").write_text("content")
    assert "make_bucket: by-cli" in cli(region, "s3", "mb", "s3://by-cli")
    cli(region, "s3", "cp", str(tmp_path / "file"), "s3://by-cli/a/file")
    assert cli(region, "s3", "ls", "--recursive", "s3://by-cli").split()[-2:] == ["7", "a/file"]
    assert cli(region, "s3", "cp", "s3://by-cli/a/file", "-") == "content"
    cli(region, "s3", "rm", "s3://by-cli/a/file")
    assert cli(region, "s3", "ls", "s3://by-cli") == ""
    assert region.account in cli(region, "sts", "get-caller-identity")


def test_the_aws_command_makes_a_role(region, aws):
    trust = (
        '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", '
        '"Principal": {"Service": "elasticmapreduce.amazonaws.com"}}]}'
    )
    cli(region, "iam", "create-role", "--role-name", "by-cli", "--assume-role-policy-document", trust)
    assert aws("iam").get_role(RoleName="by-cli")["Role"]["Arn"] == f"arn:aws:iam::{region.account}:role/by-cli"


FOREIGN = {
    "AWS_PROFILE": "production",
    "AWS_DEFAULT_PROFILE": "production",
    "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9",
    "AWS_ENDPOINT_URL_EMR": "http://127.0.0.1:9",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "AWS_USE_DUALSTACK_ENDPOINT": "true",
    "AWS_ACCESS_KEY_ID": "AKIAREAL",
    "AWS_SECRET_ACCESS_KEY": "real",
    "AWS_SESSION_TOKEN": "real",
    "AWS_SECURITY_TOKEN": "real",
    "AWS_CREDENTIAL_EXPIRATION": "2020-01-01T00:00:00Z",
    "AWS_ACCOUNT_ID": "111111111111",
    "AWS_REGION": "eu-west-1",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "http_proxy": "http://127.0.0.1:9",
}


def test_an_environment_for_a_real_account_leads_to_the_region(region, tmp_path, monkeypatch):
    config = tmp_path / "config"
    config.write_text(
        "[default]\nendpoint_url = http://127.0.0.1:9\n[profile production]\nendpoint_url = http://127.0.0.1:9\n"
    )
    for name, value in {**FOREIGN, "AWS_CONFIG_FILE": str(config)}.items():
        monkeypatch.setenv(name, value)
    for name, value in control.environment(region).items():
        monkeypatch.setenv(name, value)
    session = boto3.session.Session()
    for service in owners.SERVICES.values():
        for name in service.models:
            assert session.client(name).meta.endpoint_url == region.endpoint, name
    found = session.get_credentials().get_frozen_credentials()
    assert (found.access_key, found.token or "") == (credentials.KEY, "")
    assert session.client("sts").get_caller_identity()["Account"] == region.account
    session.client("s3").create_bucket(Bucket="from-abroad")
    assert "from-abroad" in cli(region, "s3", "ls")


# Nonsense


WORDS = [
    *("a", "abc", "my-name", "x" * 64, "é", "", "0", "-1", "*", "true", "{}", "[]", "../x", "/", "a b", "%00"),
    *("arn:aws:iam::123456789012:role/one", "i-0123456789abcdef0", "us-east-1", "a&b"),
]
SCALARS = {
    **{kind: [0, 1, 2, 3, -1, 100, 2**31 - 1] for kind in ("integer", "long", "short", "byte")},
    **{kind: [0.0, 1.5, -1.0] for kind in ("float", "double")},
    "boolean": [True, False],
    "timestamp": [datetime(2026, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC)],
    "blob": [b"", b"abc", b"\xff\x00"],
}
# They stream, or wait for what never comes.
STREAMS = {"SubscribeToShard", "InvokeWithResponseStream", "SelectObjectContent", "StartLiveTail"}


def invented(dice, shape, depth=0):
    """Some value that ``shape`` allows, or nearly."""
    kind = shape.type_name
    if kind == "structure":
        names = [one for one in shape.members if one in shape.required_members or (depth < 4 and dice.random() < 0.25)]
        if getattr(shape, "is_tagged_union", False):
            names = [dice.choice(list(shape.members))]
        return {name: invented(dice, shape.members[name], depth + 1) for name in names}
    if kind == "list":
        return [invented(dice, shape.member, depth + 1) for _ in range(dice.choice([0, 1, 1, 2]) if depth < 6 else 0)]
    if kind == "map":
        pairs = range(dice.choice([0, 1]) if depth < 6 else 0)
        return {invented(dice, shape.key, depth + 1): invented(dice, shape.value, depth + 1) for _ in pairs}
    if kind == "string":
        return dice.choice(shape.enum) if shape.enum and dice.random() < 0.9 else dice.choice(WORDS)
    return dice.choice(SCALARS[kind])


@pytest.mark.parametrize("seed", range(2))
def test_requests_drawn_from_the_models_are_never_server_errors(region, aws, seed):
    dice = random.Random(seed)
    config = Config(retries={"mode": "standard", "max_attempts": 1}, read_timeout=30, parameter_validation=False)
    names = [name for service in BORROWED for name in service.models]
    clients, outcomes, failed = {}, set(), []
    for _ in range(200):
        name = dice.choice(names)
        operation = dice.choice(sorted(set(models.model(name).operation_names) - STREAMS))
        shape = models.operation(name, operation).input_shape
        asked = invented(dice, shape) if shape else {}
        client = clients.get(name) or clients.setdefault(name, aws(name, config=config))
        try:
            getattr(client, botocore.xform_name(operation))(**asked)
            outcomes.add(200)
        except ClientError as error:
            status = error.response["ResponseMetadata"].get("HTTPStatusCode", 0)
            outcomes.add(status)
            if status >= 500:
                failed.append((name, operation, asked, str(error)))
        except (ParamValidationError, botocore.exceptions.BotoCoreError) as error:
            if isinstance(error, botocore.exceptions.HTTPClientError | botocore.parsers.ResponseParserError):
                failed.append((name, operation, asked, str(error)))
    assert failed == []
    assert {200, 400, 404} <= outcomes


PARTS = {
    "path": ["/", "/b", "/b/k", "/2015-03-31/functions", "/%", "/%ff", "//", "/b?acl", "/?Action=X", "/b/k?uploadId=x"],
    "method": ["GET", "PUT", "POST", "DELETE", "HEAD", "PATCH", "OPTIONS", "BREW"],
    "body": [
        *(b"", b"{}", b"[", b"null", b"<a><b/></a>", b"\xa1aA\x01"),
        *(b"Action=ListUsers&Version=2010-05-08", b'{"TableName": "x"}'),
    ],
    "content_type": ["", "application/x-amz-json-1.0", "application/x-www-form-urlencoded", "application/cbor"],
    "x_amz_target": ["", "DynamoDB_20120810.PutItem", "AmazonSQS.SendMessage", "TrentService.Encrypt", "x"],
}


@pytest.mark.parametrize("seed", range(2))
def test_damaged_requests_are_never_server_errors(region, seed):
    dice = random.Random(seed)
    failed = []
    for _ in range(200):
        drawn = {name: dice.choice(some) for name, some in PARTS.items()}
        body = bytearray(drawn["body"])
        for _ in range(dice.randrange(3)):
            body.insert(dice.randrange(len(body) + 1), dice.randrange(256))
        drawn = {name: value for name, value in {**drawn, "body": bytes(body)}.items() if value}
        scope = dice.choice(BORROWED).scope
        status, _ = raw(region, scope=scope, **drawn)
        if status >= 500:
            failed.append((status, scope, drawn))
    assert failed == []


def test_names_in_errors_do_not_break_their_xml(aws):
    with pytest.raises(ClientError) as caught:
        aws("iam").get_role(RoleName="<x>&")
    assert code(caught) in ("NoSuchEntity", "ValidationError")


def test_text_that_is_no_xml_comes_back_as_it_went(aws):
    text = 'R&D: a < b && "c"'
    iam, sns, ec2 = aws("iam"), aws("sns"), aws("ec2")
    iam.create_user(UserName="text", Tags=[{"Key": "team", "Value": text}])
    assert iam.list_user_tags(UserName="text")["Tags"] == [{"Key": "team", "Value": text}]
    topic = sns.create_topic(Name="text", Tags=[{"Key": "team", "Value": text}])["TopicArn"]
    assert sns.list_tags_for_resource(ResourceArn=topic)["Tags"] == [{"Key": "team", "Value": text}]
    group = ec2.create_security_group(GroupName="text", Description=text)["GroupId"]
    assert ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["Description"] == text


def test_no_operation_asks_for_another_host(region, aws):
    with pytest.raises(ClientError) as caught:
        aws("stepfunctions").start_sync_execution(
            stateMachineArn=f"arn:aws:states:us-east-1:{region.account}:stateMachine:none"
        )
    assert code(caught) == "StateMachineDoesNotExist"
