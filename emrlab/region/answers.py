"""Answers on their way to the client: sent by ASGI, and those of borrowed services made readable where they are not."""

from __future__ import annotations

import contextlib
import json
import logging
import re
from html import unescape
from typing import Any
from xml.etree import ElementTree

from ..errors import AwsError
from . import protocol
from .borrowed import Message, Send, unable
from .protocol import Answer, Call

log = logging.getLogger(__name__)
LONE_AMPERSAND = re.compile(rb"&(?!(?:amp|lt|gt|quot|apos|#\d+|#x[0-9a-fA-F]+);)")
LONE_BRACKET = re.compile(rb"<(?![/?!A-Za-z])")


async def begin(send: Send, reply: Answer, request_id: str) -> None:
    headers = {"x-amzn-requestid": request_id, **reply.headers}
    raw = [(name.encode("latin-1"), latin(value)) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": raw})


def latin(value: str) -> bytes:
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode()


async def answer(send: Send, reply: Answer, request_id: str) -> None:
    headers = reply.headers
    if "content-length" not in headers and reply.status not in (204, 304):
        headers = {**headers, "content-length": str(len(reply.body))}
    await begin(send, Answer(reply.status, headers, b""), request_id)
    await send({"type": "http.response.body", "body": reply.body, "more_body": False})


def shaped(send: Send, call: Call, request_id: str) -> Send:
    """``send`` that adds the request id, and gives a borrowed service's answers a shape that its clients can read."""
    failed: Message | None = None
    started: Message | None = None
    body = b""
    xml = call.protocol in ("query", "ec2")

    async def wrapped(message: Message) -> None:
        nonlocal failed, started, body
        if message["type"] == "http.response.start":
            if message["status"] >= 400:
                failed = message
                return
            started = {**message, "headers": identified(message["headers"], request_id)}
            if xml:
                return  # until its body is seen
            message = started
        elif failed is not None:
            body += message.get("body", b"")
            if message.get("more_body"):
                return
            reply = readable(call, failed["status"], body, request_id)
            if reply is not None:
                await answer(send, reply, request_id)
                return
            await send({**failed, "headers": identified(failed["headers"], request_id)})
            message = {"type": "http.response.body", "body": body, "more_body": False}
        elif xml and started is not None:
            body += message.get("body", b"")
            if message.get("more_body"):
                return
            whole = mended(body)
            length = (b"content-length", str(len(whole)).encode())
            others = [one for one in started["headers"] if one[0].lower() != length[0]]
            await send({**started, "headers": [*others, length]})
            message = {"type": "http.response.body", "body": whole, "more_body": False}
        await send(message)

    return wrapped


def identified(headers: Any, request_id: str) -> list[tuple[bytes, bytes]]:
    """``headers`` with a request id."""
    found = list(headers)
    if all(name.lower() != b"x-amzn-requestid" for name, _ in found):
        found.append((b"x-amzn-requestid", request_id.encode()))
    return found


def readable(call: Call, status: int, body: bytes, request_id: str) -> Answer | None:
    """What to answer in place of a borrowed service's error; None when it is well as it is."""
    spoken = call.protocol
    xml = spoken in ("query", "ec2", "rest-xml")
    if body[:9].lower() == b"<!doctype":  # moto's page for a path it does not have
        return protocol.error(spoken, unable(call), request_id)
    if status >= 500:
        reason = said(body)
        log.error("%s of %s answered %s: %s", call.operation, call.model, status, reason)
        return protocol.error(spoken, unable(call, reason or "an internal error"), request_id)
    if xml and body:
        try:
            ElementTree.fromstring(body)
        except ElementTree.ParseError:  # it writes names into messages as they were sent: <x>
            code = next(iter(re.findall(rb"<Code>([\w.]+)</Code>", body)), b"ValidationError").decode()
            return protocol.error(spoken, AwsError(code, said(body), status), request_id)
    return None


def mended(body: bytes) -> bytes:
    """XML with what ministack forgets to escape in names, tags and descriptions (R&D, a < b)."""
    return LONE_BRACKET.sub(b"&lt;", LONE_AMPERSAND.sub(b"&amp;", body))


def said(body: bytes) -> str:
    """The message of an error, whatever its shape."""
    text = body.decode("utf-8", "replace")
    if found := re.search(r"<Message>(.*)</Message>", text, re.DOTALL | re.IGNORECASE):
        return unescape(found[1])
    with contextlib.suppress(ValueError, AttributeError):
        content = json.loads(text)
        return str(content.get("message") or content.get("Message") or "")
    return ""
