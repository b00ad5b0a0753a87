"""AWS's wire protocols: what a request asks for, and answers and errors in the shape its client reads."""

from __future__ import annotations

import base64
import gzip
import json
import logging
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from html import escape
from typing import Any, NamedTuple
from urllib.parse import parse_qs, parse_qsl

from botocore.model import OperationModel, Shape

from ..errors import AwsError
from . import models
from .owners import Service
from .validate import Reader, WrongType

log = logging.getLogger(__name__)
CBOR = "smithy-rpc-v2-cbor"
RPC_PATH = re.compile(r"/service/([^/]+)/operation/([^/]+)")
QUEUE_PATH = re.compile(r"/\d{12}/[\w.-]+/?")
S3_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


class Codes(NamedTuple):
    """How a protocol's services name what is wrong with a request."""

    unknown: str
    malformed: str
    type: str
    constraint: str


JSON_CODES = Codes(
    "UnknownOperationException", "SerializationException", "SerializationException", "ValidationException"
)
CODES = {
    "json": JSON_CODES,
    CBOR: JSON_CODES,
    "rest-json": JSON_CODES,
    "query": Codes("InvalidAction", "MalformedQueryString", "InvalidParameterValue", "ValidationError"),
    "ec2": Codes("InvalidAction", "MalformedQueryString", "InvalidParameterValue", "MissingParameter"),
    "rest-xml": Codes("MethodNotAllowed", "MalformedXML", "InvalidArgument", "InvalidRequest"),
}


@dataclass
class Request:
    """One HTTP request. ``path`` decoded, ``raw_path`` as sent; header names in lower case."""

    method: str
    path: str
    raw_path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes = b""
    # What was read of it.
    call: Call | None = None
    params: dict[str, Any] | None = None


@dataclass(frozen=True)
class Call:
    """What a request asks for: an operation of one of botocore's services, spoken in one protocol."""

    model: str
    operation: str
    protocol: str
    labels: dict[str, str] = field(default_factory=dict)

    @property
    def shape(self) -> OperationModel:
        return models.operation(self.model, self.operation)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


def dialect(service: Service | None, request: Request) -> str:
    """The protocol a request speaks: what it shows, else its service's own."""
    if request.headers.get("smithy-protocol") == "rpc-v2-cbor" or RPC_PATH.fullmatch(request.path):
        return CBOR
    if "x-amz-target" in request.headers:
        return "json"
    own: str = models.description(service.models[0])["metadata"]["protocol"] if service else ""
    if own.startswith("rest-"):
        return own
    form = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    if own == "ec2" or form or "Action" in request.query:
        return "ec2" if own == "ec2" else "query"
    return own or "json"


def identify(service: Service, request: Request) -> Call:
    """The operation a request asks for. Raises ``AwsError`` when the service has no such operation."""
    request.call = operation_of(service, request)
    return request.call


def operation_of(service: Service, request: Request) -> Call:
    protocol = dialect(service, request)
    unknown = CODES[protocol].unknown
    if protocol.startswith("rest-"):
        for name in service.models:
            if found := models.match(name, request.method, request.raw_path, request.query, request.headers):
                route, labels = found
                return Call(name, route.operation, protocol, labels)
        status = 405 if protocol == "rest-xml" else 404
        raise AwsError(
            unknown, f"{service.scope} has no operation for {request.method} {request.raw_path[:200]}", status
        )
    if protocol == CBOR:
        match = RPC_PATH.fullmatch(request.path)
        prefix, operation = match.groups() if match else ("", "")
    elif protocol == "json":
        prefix, _, operation = request.headers.get("x-amz-target", "").rpartition(".")
    else:
        prefix, operation = "", next(iter(parameters(request).get("Action", [])), "")
    queue = service.scope == "sqs" and QUEUE_PATH.fullmatch(request.path)
    if protocol == CBOR or request.path == "/" or queue:
        for name in service.models:
            about = models.description(name)
            if operation in about["operations"] and (not prefix or about["metadata"].get("targetPrefix") == prefix):
                return Call(name, operation, protocol)
    asked = f"operation {operation[:100]}" if operation else "operation without a name"
    raise AwsError(unknown, f"{service.scope} has no {asked} at {request.path[:200]}")


def parameters(request: Request) -> dict[str, list[str]]:
    """A query protocol request's parameters, from its body and its URL."""
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return {**parse_qs(inflated(request).decode("utf-8", "replace"), keep_blank_values=True), **request.query}
    return request.query


def inflated(request: Request) -> bytes:
    """The body, uncompressed if its headers say it is gzip."""
    if request.headers.get("content-encoding") != "gzip":
        return request.body
    try:
        return gzip.decompress(request.body)
    except (OSError, EOFError, zlib.error) as error:
        raise AwsError("SerializationException", f"The body is not gzip: {error}") from None


def parse(call: Call, request: Request, strict: bool) -> dict[str, Any]:
    """The request's parameters as boto3 would write them. Raises ``AwsError`` when the model forbids them."""
    shape = call.shape.input_shape
    if shape is None:
        return {}
    codes, reader = CODES[call.protocol], Reader(strict)
    try:
        raw = unread(call, shape, request)
        found: dict[str, Any] = reader.read(shape, raw)
    except WrongType as error:
        raise AwsError(codes.type, str(error)) from None
    except ValueError as error:
        raise AwsError(codes.malformed, f"The request could not be read: {error}") from None
    request.params = found
    if report := reader.report():
        raise AwsError(codes.constraint, report)
    return found


def unread(call: Call, shape: Shape, request: Request) -> Any:
    """The request's values by member name, not yet converted. Raises ``ValueError`` when they cannot be told apart."""
    if call.protocol == "json":
        return json_body(request)
    if call.protocol == CBOR:
        from botocore.parsers import RpcV2CBORParser

        parser: Any = RpcV2CBORParser()
        try:
            body = inflated(request)
            return parser.parse_data_item(parser.get_peekable_stream_from_bytes(body)) if body else {}
        except Exception as error:  # whatever its decoder trips over
            raise ValueError(f"no CBOR ({error})") from None
    if call.protocol in ("query", "ec2"):
        from .xml_wire import read_query

        return read_query(call, parameters(request))
    return rest(call, shape, request)


def json_body(request: Request) -> Any:
    body = inflated(request)
    try:
        return json.loads(body) if body.strip() else {}
    except (ValueError, RecursionError):
        raise ValueError("the body is no JSON") from None


def rest(call: Call, shape: Any, request: Request) -> dict[str, Any]:
    """A REST request: members from path, query and headers, the rest from its body."""
    found: dict[str, Any] = {}
    payload = shape.serialization.get("payload")
    body = [name for name, member in shape.members.items() if "location" not in member.serialization]
    if payload:
        kind = shape.members[payload].type_name
        body = [] if kind in ("blob", "string") else [payload]
        if kind in ("blob", "string"):
            found[payload] = "" if kind == "string" else b""  # handed on unread: it may be large
    for name, member in shape.members.items():
        value = located(name, member, call, request)
        if value is not None:
            found[member.serialization.get("name", name)] = value
    if not body or (not request.body and not any(name in shape.required_members for name in body)):
        return found
    if call.protocol == "rest-xml":
        from .xml_wire import read_xml

        return found | read_xml(call, payload, request.body)
    content = json_body(request)
    if payload:
        return {**found, shape.members[payload].serialization.get("name", payload): content}
    if not isinstance(content, dict):
        raise WrongType("The request: start of structure expected")
    return content | found


def located(name: str, member: Shape, call: Call, request: Request) -> Any:
    """A member's value outside the body, converted from text; None when it is not there."""
    where, wire = member.serialization.get("location"), member.serialization.get("name", name)
    values: list[str] | None = None
    if where == "uri":
        values = [call.labels[wire]] if wire in call.labels else None
    elif where == "querystring":
        values = request.query.get(wire)
    elif where == "header":
        value = request.headers.get(wire.lower())
        values = None if value is None else [value]
    elif where == "headers":
        prefix = wire.lower()
        return {key[len(prefix) :]: text for key, text in request.headers.items() if key.startswith(prefix)} or None
    if not values:
        return None
    if member.type_name == "list":
        items = values if where == "querystring" else [one.strip() for one in values[0].split(",")]
        inner: Any = member
        return [text_value(inner.member, one, name) for one in items]
    if member.type_name == "map":
        return {key: some[0] for key, some in request.query.items()}
    return text_value(member, values[0], name)


def text_value(shape: Shape, text: str, name: str) -> Any:
    kind = shape.type_name
    try:
        if kind in ("integer", "long", "short", "byte"):
            return int(text)
        if kind in ("float", "double"):
            return float(text)
    except ValueError:
        raise WrongType(f"{name}: {text[:100]!r} is not a number") from None
    if kind == "boolean":
        if text.lower() not in ("true", "false"):
            raise WrongType(f"{name}: {text[:100]!r} is neither true nor false")
        return text.lower() == "true"
    if shape.serialization.get("jsonvalue"):
        return base64.b64decode(text)
    return text


# Answers


def json_answer(call: Call, result: Mapping[str, Any]) -> Answer:
    """An operation's result for the JSON 1.1 protocol."""
    shape = call.shape.output_shape
    content = written(shape, result) if shape is not None else {}
    return Answer(200, {"content-type": "application/x-amz-json-1.1"}, json.dumps(content).encode())


def written(shape: Any, value: Any) -> Any:
    """A value as JSON holds it: timestamps as seconds, blobs as base64, members without a value left out."""
    kind = shape.type_name
    if kind == "structure":
        for name in value.keys() - shape.members.keys():
            log.warning("%s has no member %s: left out", shape.name, name)
        return {
            member.serialization.get("name", name): written(member, value[name])
            for name, member in shape.members.items()
            if value.get(name) is not None
        }
    if kind == "list":
        return [written(shape.member, one) for one in value]
    if kind == "map":
        return {key: written(shape.value, one) for key, one in value.items()}
    if kind == "timestamp":
        return round(value.timestamp(), 3) if isinstance(value, datetime) else value
    if kind == "blob":
        return base64.b64encode(value).decode()
    return value


def error(
    protocol: str, failure: AwsError, request_id: str, s3: bool = False, resource: str = "", head: bool = False
) -> Answer:
    """``failure`` as a service of ``protocol`` answers it (``s3``: S3 has a shape of its own)."""
    code, message = failure.code, failure.message
    if protocol == CBOR:
        body = b"\xa2" + b"".join(cbor_text(text) for text in ("__type", code, "message", message))
        headers = {"content-type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}
        return Answer(failure.status, headers, body)
    if protocol in ("json", "rest-json"):
        content = {"__type": code, "message": message, "Message": message, **failure.members}
        headers = {"content-type": "application/x-amz-json-1.1", "x-amzn-errortype": code}
        return Answer(failure.status, headers, json.dumps(content).encode())
    fault = "Receiver" if failure.status >= 500 else "Sender"
    inner = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    if s3:
        text = f"<Error>{inner}<Resource>{escape(resource)}</Resource><RequestId>{request_id}</RequestId></Error>"
    elif protocol == "ec2":
        text = f"<Response><Errors><Error>{inner}</Error></Errors><RequestID>{request_id}</RequestID></Response>"
    else:
        text = (
            f"<ErrorResponse><Error><Type>{fault}</Type>{inner}</Error>"
            f"<RequestId>{request_id}</RequestId></ErrorResponse>"
        )
    body = b"" if head else f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode()
    return Answer(failure.status, {"content-type": "application/xml" if s3 else "text/xml"}, body)


def cbor_text(text: str) -> bytes:
    data = text.encode()
    if len(data) < 24:
        return bytes([0x60 + len(data)]) + data
    return b"\x7a" + len(data).to_bytes(4, "big") + data


def query_of(scope_query: bytes) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in parse_qsl(scope_query.decode("utf-8", "replace"), keep_blank_values=True):
        found.setdefault(name, []).append(value)
    return found
