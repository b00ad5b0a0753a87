"""EMR as clients reach it: JSON over the gateway, without sockets."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from emrlab.emr.service import EmrService
from emrlab.region.gateway import Gateway, build_app
from tests.asgi import exchange

SCOPE = "123456789012/20260101/us-east-1/elasticmapreduce/aws4_request"
SIGNED = f"AWS4-HMAC-SHA256 Credential={SCOPE}, SignedHeaders=host, Signature=0f"
PATIENCE = 20.0  # longer than any request takes; one that takes this long hangs


class Wire:
    """Sends requests to ``emr`` through the region's gateway. ``close`` it."""

    def __init__(self, emr: EmrService) -> None:
        self.app: Gateway = build_app(emr.home, emr.endpoint, emr)
        self.runner = asyncio.Runner()

    def close(self) -> None:
        self.runner.close()
        self.app.workers.shutdown()
        self.app.borrowed.s3_thread.shutdown()

    def ask(self, operation: str, params: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Status and body of an answer."""
        status, body = self.runner.run(self.send(f"ElasticMapReduce.{operation}", json.dumps(params).encode()))
        return status, json.loads(body)

    async def send(self, target: str, body: bytes, method: str = "POST", **headers: str) -> tuple[int, bytes]:
        sent = {"host": "127.0.0.1:4510", "authorization": SIGNED, "content-type": "application/x-amz-json-1.1"}
        sent |= {"x-amz-target": target} | {name.replace("_", "-"): value for name, value in headers.items()}
        encoded = [(name.encode(), value.encode("latin-1", "replace")) for name, value in sent.items()]
        answer = exchange(self.app, method, "/", encoded, body)
        status, _, content = await asyncio.wait_for(answer, PATIENCE)
        return status, content
