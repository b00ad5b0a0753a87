"""The gateway as an ASGI application in this process, with an EMR that the test writes; homes for regions that die."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from emrlab.context import RequestContext
from emrlab.home import Home
from emrlab.processes import end, owned
from emrlab.region import control
from emrlab.region.gateway import build_app
from tests.asgi import exchange


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
        encoded = [(name.encode(), value.encode("latin-1")) for name, value in sent.items()]
        return Reply(*asyncio.run(exchange(app, method, path, encoded, body, query)))

    return send


@pytest.fixture(scope="module", autouse=True)
def no_engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache without Hadoop and Spark: no cluster starts here, and no region prepares for one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMRLAB_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """A home for one test, the one in force; whatever it owns in the end is ended."""
    root = (tmp_path / "own").resolve()
    monkeypatch.setenv("EMRLAB_HOME", str(root))
    yield Home(root)
    end(owned(Home(root)), grace=1)


@pytest.fixture
def port() -> int:
    """A free port that no other region would take by itself while ours is down."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        number: int = found.getsockname()[1]
        return number


@pytest.fixture
def client_of() -> Callable[..., Any]:
    """A boto3 client on a region that is not in this process's environment. It asks once."""

    def client(region: control.Region, service: str, **more: Any) -> Any:
        return boto3.session.Session().client(
            service,
            region_name=region.name,
            endpoint_url=region.endpoint,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, **more),
        )

    return client
