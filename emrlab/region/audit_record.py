"""One API call as CloudTrail records it.

See "CloudTrail record contents for management, data, and network activity events" and "CloudTrail userIdentity element"
of the CloudTrail User Guide, and "Logging AWS EMR API calls using AWS CloudTrail" of the EMR Management Guide.
"""

from __future__ import annotations

import base64
import functools
import re
import time
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.model import OperationModel
from botocore.parsers import create_parser

from .owners import Service
from .protocol import CBOR, Call

Shape = Any
HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
# What no model marks, and CloudTrail hides all the same.
SECRET = re.compile(
    r"Password$|^Secret(?:AccessKey|String|Binary)$|^SessionToken$|^KeyMaterial$|^Plaintext$|^AuthToken$"
)
READS = re.compile(
    r"(?:Batch)?(?:Get|List|Describe|Head|Lookup|Search|Simulate|Query|Scan|Filter|Test|Preview|Is|Check)"
)
SERVICE = re.compile(r"[a-z-]+\.amazonaws\.com(?= |$)")
LARGEST = 100_000  # bytes of parameters or response; what is larger is left out
LONGEST = 1024  # characters of user agent, error code and message
# Whose events are those of one region, wherever they were asked.
GLOBAL = {"iam": "us-east-1"}
# Data events: what is done with a resource's content. The event history has none of them.
# See "Logging data events", and "Amazon S3 CloudTrail events" of the S3 User Guide.
DATA = {
    "s3": {"HeadBucket", "ListObjects", "ListObjectsV2", "ListObjectVersions", "DeleteObjects"},
    "lambda": {"Invoke", "InvokeAsync", "InvokeWithResponseStream"},
    "dynamodb": {
        *("BatchExecuteStatement", "BatchGetItem", "BatchWriteItem", "DeleteItem", "ExecuteStatement"),
        *("ExecuteTransaction", "GetItem", "GetRecords", "GetShardIterator", "PutItem", "Query", "Scan"),
        *("TransactGetItems", "TransactWriteItems", "UpdateItem"),
    },
    "sqs": {
        *("SendMessage", "SendMessageBatch", "ReceiveMessage", "DeleteMessage", "DeleteMessageBatch"),
        *("ChangeMessageVisibility", "ChangeMessageVisibilityBatch"),
    },
    "sns": {"Publish", "PublishBatch"},
    "kinesis": {"PutRecord", "PutRecords", "GetRecords", "GetShardIterator"},
    "firehose": {"PutRecord", "PutRecordBatch"},
    "monitoring": {"PutMetricData", "GetMetricData", "GetMetricStatistics", "GetMetricWidgetImage"},
    "logs": {"PutLogEvents", "GetLogEvents", "FilterLogEvents"},
    "events": {"PutEvents"},
}
# Members that name a resource, and its type as CloudFormation writes it.
RESOURCES = {
    "elasticmapreduce": {
        **dict.fromkeys(("JobFlowId", "JobFlowIds", "ClusterId"), "AWS::EMR::Cluster"),
        "StudioId": "AWS::EMR::Studio",
        "SecurityConfiguration": "AWS::EMR::SecurityConfiguration",
        "ResourceId": "",
    },
    "s3": {"Bucket": "AWS::S3::Bucket"},
    "iam": {
        "RoleName": "AWS::IAM::Role",
        "UserName": "AWS::IAM::User",
        "GroupName": "AWS::IAM::Group",
        "PolicyArn": "AWS::IAM::Policy",
        "InstanceProfileName": "AWS::IAM::InstanceProfile",
    },
    "sts": {"RoleArn": "AWS::IAM::Role"},
    "lambda": {"FunctionName": "AWS::Lambda::Function"},
    "kms": {"KeyId": "AWS::KMS::Key"},
    "dynamodb": {"TableName": "AWS::DynamoDB::Table"},
    "sns": {"TopicArn": "AWS::SNS::Topic"},
    "sqs": {"QueueUrl": "AWS::SQS::Queue", "QueueName": "AWS::SQS::Queue"},
    "states": {"StateMachineArn": "AWS::StepFunctions::StateMachine"},
    "events": {"Rule": "AWS::Events::Rule"},
    "cloudtrail": {"Name": "AWS::CloudTrail::Trail"},
}
EMR_IDS = {"j-": "AWS::EMR::Cluster", "es": "AWS::EMR::Studio"}


def is_data(service: Service, call: Call) -> bool:
    return call.operation in DATA.get(service.scope, ()) or (service.scope == "s3" and "Key" in call.labels)


def reads(call: Call) -> bool:
    return call.shape.http.get("method") in ("GET", "HEAD") or READS.match(call.operation) is not None


def region_of(service: Service, region: str) -> str:
    return GLOBAL.get(service.scope, region)


def record(
    service: Service,
    call: Call,
    who: Mapping[str, Any],
    account: str,
    region: str,
    request_id: str,
    ended: float,
    params: Mapping[str, Any] | None,
    answer: Mapping[str, Any] | None,
    source_ip: str,
    user_agent: str,
) -> dict[str, Any]:
    """``who``: its ``userIdentity``. ``answer``: the parsed response, if one could be read."""
    shape, read_only = call.shape, reads(call)
    found: dict[str, Any] = {
        "eventVersion": "1.11",
        "userIdentity": dict(who),
        "eventTime": datetime.fromtimestamp(ended, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": f"{service.scope}.amazonaws.com",
        "eventName": call.operation,
        "awsRegion": region_of(service, region),
        "sourceIPAddress": who.get("invokedBy") or source_ip,
        "userAgent": user_agent[:LONGEST],
    }
    failure = (answer or {}).get("Error")
    if failure:
        found["errorCode"] = str(failure.get("Code", ""))[:LONGEST]
        if failure.get("Message"):
            found["errorMessage"] = str(failure["Message"])[:LONGEST]
    returned = {} if read_only or failure else (answer or {})
    found |= {
        "requestParameters": bounded(written(shape.input_shape, params or {})),
        "responseElements": bounded(written(shape.output_shape, returned)),
        "requestID": request_id,
        "eventID": str(uuid.uuid4()),
        "readOnly": read_only,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": account,
        "eventCategory": "Management",
    }
    return found


def resources(
    service: Service, call: Call, params: Mapping[str, Any] | None, answer: Mapping[str, Any] | None
) -> dict[str, str]:
    """Names of resources that a call is about, and their types."""
    members = RESOURCES.get(service.scope, {})
    if call.operation.endswith("SecurityConfiguration"):
        members = {"Name": members["SecurityConfiguration"]}  # the other member is its text
    found: dict[str, str] = {}
    for source in (params or {}, answer or {}):
        for member, kind in members.items():
            values = source.get(member)
            for value in values if isinstance(values, list) else [values]:
                if isinstance(value, str) and value:
                    found[value] = kind or EMR_IDS.get(value[:2], "")
    return {name: kind for name, kind in found.items() if kind}


def written(shape: Shape, value: Any, name: str = "") -> Any:
    """A value as CloudTrail writes it: members begin small, moments are text, what is secret is hidden."""
    if shape is None or value is None:
        return None
    if shape.metadata.get("sensitive") or SECRET.search(name):
        return HIDDEN
    kind = shape.type_name
    if kind == "structure":
        return {
            member[0].lower() + member[1:]: written(shape.members[member], one, member)
            for member, one in value.items()
            if member in shape.members and one is not None and not streams(shape, member)
        }
    if kind == "list":
        return [written(shape.member, one, name) for one in value]
    if kind == "map":
        return {key: written(shape.value, one, str(key)) for key, one in value.items()}
    if kind == "timestamp" and isinstance(value, datetime):
        at = value.astimezone(UTC)
        return f"{at:%b} {at.day}, {at.year} {at.hour % 12 or 12}:{at:%M:%S %p}"
    if kind == "blob":
        return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)
    return value


def streams(shape: Shape, member: str) -> bool:
    """A payload that is content: of an object, a function's code."""
    return shape.serialization.get("payload") == member and shape.members[member].type_name in ("blob", "string")


def bounded(value: Any) -> Any:
    """``value``; None when it is empty or too large to be recorded."""
    if not value or sum(sizes(value)) > LARGEST:
        return None
    return value


def sizes(value: Any) -> Iterator[int]:
    if isinstance(value, dict):
        for key, one in value.items():
            yield len(str(key)) + 4
            yield from sizes(one)
    elif isinstance(value, list):
        for one in value:
            yield from sizes(one)
    else:
        yield len(str(value)) + 4


def parsed(call: Call, status: int, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """A response as its client reads it; an error has ``Error`` with ``Code`` and ``Message``."""
    shape: OperationModel = call.shape
    response = {"status_code": status, "headers": dict(headers), "body": body}
    found: dict[str, Any] = parser(call.protocol).parse(response, shape.output_shape)
    if status >= 400 and not found.get("Error", {}).get("Code"):
        found["Error"] = {"Code": str(status)}
    return found


@functools.cache
def parser(protocol: str) -> Any:
    return create_parser(protocol if protocol != CBOR else "smithy-rpc-v2-cbor")


def identity(key: str, account: str, caller: Mapping[str, Any] | None, agent: str = "") -> dict[str, Any]:
    """``userIdentity`` of who signed with ``key``. ``caller``: what IAM and STS know of it."""
    if key == account and (service := SERVICE.match(agent)):  # EMR, on its user's behalf
        return {"type": "AWSService", "invokedBy": service[0]}
    known = {"accountId": account, "accessKeyId": key}
    if caller is None:
        return {"type": "Unknown", **known}
    arn, principal = caller["userArn"], caller["userId"]
    known = {"principalId": principal, "arn": arn, "accountId": account, "accessKeyId": key}
    if arn.endswith(":root"):
        return {"type": "Root", **known}
    if ":user/" in arn:
        return {"type": "IAMUser", **known, "userName": arn.rsplit("/", 1)[-1]}
    if ":federated-user/" in arn:
        return {"type": "FederatedUser", **known}
    issued = (caller.get("session") or {}).get("IssuedAt") or time.time()
    name, owner = arn.split("/")[1], arn.split(":")[4]
    context = {
        "sessionIssuer": {
            "type": "Role",
            "principalId": principal.split(":")[0],
            "arn": caller.get("roleArn") or f"arn:aws:iam::{owner}:role/{name}",
            "accountId": owner,
            "userName": name,
        },
        "attributes": {
            "creationDate": datetime.fromtimestamp(issued, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "mfaAuthenticated": "false",
        },
    }
    return {"type": "AssumedRole", **known, "accountId": owner, "sessionContext": context}


def user_name(who: Mapping[str, Any]) -> str:
    """``Username`` of the event history: a user's name, a role session's, or root."""
    if who["type"] == "Root":
        return "root"
    return str(who.get("userName") or who.get("invokedBy") or str(who.get("arn", "")).rsplit("/", 1)[-1])
