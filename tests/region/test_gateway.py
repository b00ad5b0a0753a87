"""What the gateway answers, request by request, without a process."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime

import pytest
from botocore.parsers import create_parser

from emrlab.errors import AwsError
from emrlab.region import models, owners, protocol

TARGET = "ElasticMapReduce."
JSON = "application/x-amz-json-1.1"


def parsed(reply, service="emr", operation="ListClusters", spoken="json"):
    """The answer as boto3 reads it."""
    shape = models.operation(service, operation).output_shape
    return create_parser(spoken).parse(
        {"status_code": reply.status, "headers": reply.headers, "body": reply.body}, shape
    )


def call(send, operation, body=b"{}", **headers):
    return send(body=body, x_amz_target=TARGET + operation, content_type=JSON, **headers)


# Ours


def test_an_operation_of_ours_gets_its_parameters_and_who_asks(send, emr):
    emr.result = lambda operation, params: {"Clusters": [{"Id": "j-1", "Name": "é"}]}
    body = b'{"CreatedAfter": 0, "ClusterStates": ["WAITING"]}'
    reply = call(send, "ListClusters", body, user_agent="boto", access_key="210987654321")
    assert reply.status == 200
    assert parsed(reply)["Clusters"] == [{"Id": "j-1", "Name": "é"}]
    (operation, params, context), *others = emr.asked
    assert others == []
    assert operation == "ListClusters"
    assert params == {"CreatedAfter": datetime(1970, 1, 1, tzinfo=UTC), "ClusterStates": ["WAITING"]}
    assert (context.account, context.region, context.access_key) == ("210987654321", "us-east-1", "210987654321")
    assert context.request_id == reply.headers["x-amzn-requestid"]
    assert context.user_agent == "boto"


def test_an_error_of_ours_has_its_modelled_members(send, emr):
    def fail(operation, params):
        raise AwsError("InvalidRequestException", "Cluster id 'j-1' is not valid.", ErrorCode="NoSuchCluster")

    emr.result = fail
    reply = call(send, "DescribeCluster", b'{"ClusterId": "j-1"}')
    assert reply.status == 400
    assert reply.headers["content-type"] == JSON
    told = parsed(reply, operation="DescribeCluster")
    assert told["Error"] == {"Code": "InvalidRequestException", "Message": "Cluster id 'j-1' is not valid."}
    members = create_parser("json").parse(
        {"status_code": 400, "headers": reply.headers, "body": reply.body},
        models.model("emr").shape_for("InvalidRequestException"),
    )
    assert members == {"ErrorCode": "NoSuchCluster", "Message": "Cluster id 'j-1' is not valid."}
    assert reply.json()["__type"] == "InvalidRequestException"


def test_a_crash_of_ours_tells_where_to_look_and_hides_the_rest(send, emr):
    def fail(operation, params):
        raise KeyError("secret")

    emr.result = fail
    reply = call(send, "ListClusters")
    assert reply.status == 500
    assert reply.json()["__type"] == "InternalServerException"
    assert reply.headers["x-amzn-requestid"] in reply.json()["message"]
    assert b"secret" not in reply.body


def test_what_the_model_forbids_never_reaches_emr(send, emr):
    reply = call(send, "AddJobFlowSteps", b'{"JobFlowId": "j-1"}')
    assert (reply.status, parsed(reply)["Error"]["Code"]) == (400, "ValidationException")
    assert emr.asked == []


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"[1]", b'"text"', b"7", b'{"JobFlowId": []}', b"[" * 100_000])
def test_a_body_that_is_no_such_json_is_a_serialization_exception(send, emr, body):
    reply = call(send, "AddJobFlowSteps", body)
    assert (reply.status, parsed(reply)["Error"]["Code"]) == (400, "SerializationException")
    assert emr.asked == []


@pytest.mark.parametrize(
    "headers",
    [
        {"x_amz_target": "ElasticMapReduce.Nonsense"},
        {"x_amz_target": "ElasticMapReduce."},
        {"x_amz_target": "DynamoDB_20120810.ListTables"},
        {"x_amz_target": "ListClusters" * 100_000},
        {},
        {"content_type": "application/x-www-form-urlencoded"},
    ],
)
def test_an_operation_emr_does_not_have_is_unknown(send, emr, headers):
    reply = send(body=b"{}", **headers)
    assert reply.status == 400
    assert b"UnknownOperationException" in reply.body or b"InvalidAction" in reply.body
    assert len(reply.body) < 1000
    assert emr.asked == []


def test_every_operation_of_emr_is_found_and_answered(send, emr):
    for operation in models.model("emr").operation_names:
        shape = models.operation("emr", operation).input_shape
        if shape.required_members:
            assert call(send, operation).json()["__type"] == "ValidationException"
        else:
            assert call(send, operation).status == 200
            assert emr.asked[-1][0] == operation


@pytest.mark.parametrize("seed", range(5))
def test_garbage_is_never_a_server_error(send, emr, seed):
    """Damaged requests: bytes flipped, cut, doubled, with headers that do not belong together."""
    dice = random.Random(seed)
    whole = json.dumps({"JobFlowId": "j-1", "Steps": [{"Name": "x", "HadoopJarStep": {"Jar": "a", "Args": ["1"]}}]})
    for _ in range(200):
        body = bytearray(whole.encode())
        for _ in range(dice.randrange(1, 6)):
            at = dice.randrange(len(body))
            body[at : at + dice.randrange(3)] = dice.randbytes(dice.randrange(4))
        headers = {
            "content_type": dice.choice([JSON, "application/x-www-form-urlencoded", "application/cbor", "\xff", ""]),
            "x_amz_target": dice.choice([TARGET + "AddJobFlowSteps", TARGET, "", "..", "\xe9"]),
        }
        if dice.random() < 0.2:
            headers["smithy_protocol"] = "rpc-v2-cbor"
        if dice.random() < 0.2:
            headers["content_encoding"] = "gzip"
        path = dice.choice(["/", "/service/ElasticMapReduce/operation/AddJobFlowSteps", "/%00%ff", "//", "/a/b"])
        query = dice.choice([b"", b"Action=ListClusters", b"%", b"&&=&=", b"X-Amz-Credential=/////"])
        reply = send(dice.choice(["POST", "GET", "PUT", "PATCH", "X"]), path, bytes(body), query=query, **headers)
        assert reply.status < 500, (path, headers, bytes(body), reply)


# Nobody's


def test_a_service_emrlab_does_not_have_is_refused_by_name(send):
    reply = send(scope="comprehend", x_amz_target="Comprehend_20171127.ListEndpoints", content_type=JSON)
    told = parsed(reply)["Error"]
    assert (reply.status, told["Code"]) == (400, "UnknownOperationException")
    assert "comprehend" in told["Message"]
    assert "elasticmapreduce" in told["Message"]


def test_a_rest_client_of_an_unknown_service_can_read_the_refusal(send):
    reply = send("GET", "/clusters", scope="eks")
    told = parsed(reply, "s3", "ListBuckets", "rest-json")["Error"]
    assert told["Code"] == "UnknownOperationException"


@pytest.mark.parametrize("path", ["/", "/bucket/key", "/2015-03-31/functions", "/_ministack/reset", "/health"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_unsigned_requests_are_refused(send, emr, method, path):
    reply = send(method, path, scope="")
    assert reply.status == 403
    assert b"MissingAuthenticationToken" in reply.body
    assert emr.asked == []


@pytest.mark.parametrize(
    "authorization",
    ["AWS test:c2ln", "AWS4-HMAC-SHA256 Credential=test/x/us-east-1/s3/aws4_request", "Bearer x", "AWS4-HMAC-SHA256"],
)
def test_other_signatures_are_refused(send, authorization):
    reply = send("GET", "/bucket/key", scope="", authorization=authorization)
    assert reply.status == 403
    assert b"IncompleteSignature" in reply.body


@pytest.mark.parametrize("host", ["evil.example", "evil.example:4510", "127.0.0.1.evil.example", "localhost.evil"])
def test_a_page_in_a_browser_cannot_reach_the_region_under_its_own_name(send, emr, host):
    reply = call(send, "ListClusters", host=host)
    assert (reply.status, emr.asked) == (403, [])


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:4510", "[::1]:4510", "my-bucket.localhost:4510"])
def test_loopback_names_are_answered(send, host):
    assert call(send, "ListClusters", host=host).status == 200


def test_health_needs_no_signature(send, tmp_path):
    assert send("GET", "/_emrlab/health", scope="").json()["home"] == str(tmp_path)


# Borrowed services: what the model forbids is refused before they see it


@pytest.mark.parametrize(
    ("scope", "body", "headers", "code"),
    [
        ("iam", b"Action=CreateRole&Version=2010-05-08", {}, b"ValidationError"),
        ("iam", b"Action=Nonsense", {}, b"InvalidAction"),
        ("sts", b"Action=AssumeRole&DurationSeconds=soon", {}, b"InvalidParameterValue"),
        ("ec2", b"Action=DescribeImageAttribute", {}, b"MissingParameter"),
        ("dynamodb", b"{", {"x_amz_target": "DynamoDB_20120810.ListTables"}, b"SerializationException"),
        ("kms", b"{}", {"x_amz_target": "TrentService.Encrypt"}, b"ValidationException"),
        ("redshift-data", b"{}", {"x_amz_target": "RedshiftData.DescribeStatement"}, b"ValidationException"),
    ],
)
def test_a_borrowed_services_requests_are_checked_first(send, scope, body, headers, code):
    form = {"content_type": "application/x-www-form-urlencoded"} if not headers else {"content_type": JSON}
    reply = send(scope=scope, body=body, **form, **headers)
    assert reply.status == 400
    assert code in reply.body


def test_s3_errors_have_s3s_own_shape(send):
    reply = send("PUT", "/bucket?versioning", b"<nonsense", scope="s3", query=b"versioning")
    told = parsed(reply, "s3", "ListBuckets", "rest-xml")
    assert (reply.status, told["Error"]["Code"]) == (400, "MalformedXML")
    assert b"<Resource>" in reply.body


def test_head_errors_have_no_body(send):
    assert send("HEAD", "/bucket/key", scope="").body == b""


def test_a_request_may_not_be_endless(send, monkeypatch):
    monkeypatch.setattr("emrlab.region.gateway.LARGEST", 1000)
    assert call(send, "ListClusters", b" " * 1001).status == 413


# Which REST operation


@pytest.mark.parametrize(
    ("method", "path", "query", "operation"),
    [
        ("GET", "/", {}, "ListBuckets"),
        ("GET", "/b", {}, "ListObjects"),
        ("GET", "/b", {"list-type": ["2"]}, "ListObjectsV2"),
        ("GET", "/b/", {"location": [""]}, "GetBucketLocation"),
        ("PUT", "/b/k", {}, "PutObject"),
        ("PUT", "/b/a/b%2Fc", {"partNumber": ["1"], "uploadId": ["u"]}, "UploadPart"),
        ("POST", "/b/k", {"uploads": [""]}, "CreateMultipartUpload"),
        ("POST", "/b", {"delete": [""]}, "DeleteObjects"),
        ("PUT", "/b/k", {"tagging": [""]}, "PutObjectTagging"),
        ("HEAD", "/b/k", {}, "HeadObject"),
    ],
)
def test_an_s3_request_is_matched_to_its_operation(method, path, query, operation):
    request = protocol.Request(method, path, path, query, {})
    assert protocol.identify(owners.SERVICES["s3"], request).operation == operation


def test_a_copy_is_told_from_a_put_by_its_header():
    request = protocol.Request("PUT", "/b/k", "/b/k", {}, {"x-amz-copy-source": "b/other"})
    found = protocol.identify(owners.SERVICES["s3"], request)
    assert found.operation == "CopyObject"
    assert found.labels == {"Bucket": "b", "Key": "k"}
