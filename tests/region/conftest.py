"""The gateway as an ASGI application in this process, with an EMR that the test writes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import pytest

from emrlab.context import RequestContext
from emrlab.home import Home
from emrlab.region.gateway import build_app


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def signed(scope: str, key: str) -> str:
    return (
        f"AWS4-HMAC-SHA256 Credential={key}/20260101/us-east-1/{scope}/aws4_request, SignedHeaders=host, Signature=0f"
    )


Send = Callable[..., Reply]


@dataclass
class WrittenEmr:
    """Answers with what ``result`` returns or raises, and remembers what it was asked."""

    result: Callable[[str, dict[str, Any]], dict[str, Any]] = lambda operation, params: {}
    asked: list[tuple[str, dict[str, Any], RequestContext]] = field(default_factory=list)

    def call(self, operation: str, params: dict[str, Any], context: RequestContext) -> dict[str, Any]:
        self.asked.append((operation, params, context))
        return self.result(operation, params)


@pytest.fixture
def emr() -> WrittenEmr:
    return WrittenEmr()


@pytest.fixture
def send(emr: WrittenEmr, tmp_path: Any) -> Send:
    """One request through the gateway. ``scope``: whose signature it carries (empty: none)."""
    app = build_app(Home(tmp_path), "http://127.0.0.1:4510", emr)

    def send(
        method: str = "POST",
        path: str = "/",
        body: bytes = b"",
        scope: str = "elasticmapreduce",
        query: bytes = b"",
        access_key: str = "test",
        **headers: str,
    ) -> Reply:
        sent = {"host": "127.0.0.1:4510", **({"authorization": signed(scope, access_key)} if scope else {})}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        asgi = {
            "type": "http",
            "method": method,
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query,
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in sent.items()],
            "client": ("127.0.0.1", 50000),
        }
        out: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": body, "more_body": False}

        async def collect(message: Any) -> None:
            out.append(message)

        asyncio.run(app(asgi, receive, collect))
        found = {name.decode(): value.decode("latin-1") for name, value in out[0]["headers"]}
        return Reply(out[0]["status"], found, b"".join(part["body"] for part in out[1:]))

    return send
