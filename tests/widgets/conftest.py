"""Clusters to look at, and engines that answer as Hadoop's do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest

from emrlab.widgets import cluster
from emrlab.widgets.cluster import Cluster, Node, Step


def some_cluster(state: str = "WAITING", **changes: Any) -> Cluster:
    """A master and two core nodes."""
    nodes = (
        Node("MASTER", "i-0a", "m5.xlarge", "RUNNING", "127.66.1.10", "m.ec2.internal", ("NameNode",)),
        Node(
            "CORE", "i-0b", "m5.xlarge", "RUNNING", "127.66.1.11", "b.ec2.internal", ("NodeManager",), 2, 4096, 12288, 7
        ),
        Node("CORE", "i-0c", "r5.xlarge", "RUNNING", "127.66.1.12", "c.ec2.internal"),
    )
    values: dict[str, Any] = {"id": "j-1A", "name": "first", "state": state, "nodes": nodes, "log_uri": "s3://b/logs/"}
    return Cluster(**values | changes)


def some_step(state: str = "RUNNING", **changes: Any) -> Step:
    return Step(**{"id": "s-1A", "name": "Delays", "state": state} | changes)


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """A place that answers REST: path → JSON. Both of the master's daemons are there."""
    answers: dict[str, Any] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            body = answers.get(self.path, answers.get(parts.path))
            self.send_response(404 if body is None else 200)
            self.end_headers()
            self.wfile.write(body.encode() if isinstance(body, str) else json.dumps(body).encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(cluster, "RESOURCE_MANAGER", server.server_port)
    monkeypatch.setattr(cluster, "NAME_NODE", server.server_port)
    yield answers
    server.shutdown()
    server.server_close()
