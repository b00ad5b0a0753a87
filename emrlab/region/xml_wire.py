"""The query and XML protocols, read by moto's parsers. Imported when the first such request comes: it costs 20 MB."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING, Any

from moto.core.model import ServiceModel
from moto.core.parse import EC2QueryParser, QueryParser, RequestParserError, RestXMLParser

from . import models
from .validate import WrongType

if TYPE_CHECKING:
    from .protocol import Call


@functools.cache
def model(name: str) -> Any:
    return ServiceModel(models.description(name), name)


def read_query(call: Call, parameters: dict[str, list[str]]) -> dict[str, Any]:
    """Members from ``Name.member.1.Key=…``. Raises ``WrongType``: whatever was sent, it is a query string."""
    parser: Any = (EC2QueryParser if call.protocol == "ec2" else QueryParser)(
        model(call.model).operation_model(call.operation)
    )
    flat = {name: values[0] for name, values in parameters.items()}
    try:
        found: dict[str, Any] = parser.parse({"values": flat})
    except (ValueError, TypeError, AttributeError) as error:
        raise WrongType(f"A value is not of its parameter's type: {error}") from None
    return found


def read_xml(call: Call, payload: str | None, body: bytes) -> dict[str, Any]:
    """The body's members, below ``payload`` if the operation has one. Raises ``ValueError`` when it is no such XML."""
    shape = model(call.model).operation_model(call.operation).input_shape
    parser: Any = RestXMLParser(model(call.model).operation_model(call.operation))
    member = shape.members[payload] if payload else shape
    try:
        node = parser._parse_xml_string_to_dom(body)
        expected = member.serialization.get("name", payload)
        if payload and parser._node_tag(node) != expected:
            raise ValueError(f"<{expected}> is expected, not <{parser._node_tag(node)}>")
        content = parser._parse_shape(member, node)
    except (RequestParserError, TypeError, AttributeError, KeyError, UnboundLocalError) as error:
        raise ValueError(str(error).split("\n")[0]) from None
    return {payload: content} if payload else content


def write_ec2(call: Call, result: Mapping[str, Any], request_id: str) -> str:
    """An operation's result as EC2's protocol has it: XML, members below ``item``."""
    shape: Any = call.shape.output_shape
    space = models.description(call.model)["metadata"].get("xmlNamespace", "http://ec2.amazonaws.com/doc/2016-11-15")
    name, content = f"{call.operation}Response", ec2_content(shape, result)
    inner = f"<requestId>{request_id}</requestId>{content}"
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{name} xmlns="{space}">{inner}</{name}>'


def ec2_content(shape: Any, value: Any) -> str:
    kind = shape.type_name
    if kind == "structure":
        parts = [
            (member, member.serialization.get("name", name), value.get(name)) for name, member in shape.members.items()
        ]
        return "".join(f"<{name}>{ec2_content(member, one)}</{name}>" for member, name, one in parts if one is not None)
    if kind == "list":
        name = shape.member.serialization.get("name", "item")
        return "".join(f"<{name}>{ec2_content(shape.member, one)}</{name}>" for one in value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if kind == "boolean":
        return "true" if value else "false"
    return escape(str(value))
