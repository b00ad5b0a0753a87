"""Waiting on conditions, and the conditions."""

from __future__ import annotations

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from emrlab.nodes.waiting import fetched, listening, until


class Answer(BaseHTTPRequestHandler):
    body = b""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def answers():
    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_port_listens_or_it_does_not():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
        assert not listening("127.0.0.1", port)
        server.listen()
        assert listening("127.0.0.1", port)


def test_json_is_fetched(answers, monkeypatch):
    monkeypatch.setattr(Answer, "body", json.dumps({"a": 1}).encode())
    assert fetched(answers) == {"a": 1}


@pytest.mark.parametrize("body", [b"<html>", b"[1]", b"", b"\xff"])
def test_what_is_no_json_object_counts_as_no_answer(answers, monkeypatch, body):
    monkeypatch.setattr(Answer, "body", body)
    assert fetched(answers) == {}


def test_nobody_there_counts_as_no_answer():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        assert fetched(f"http://127.0.0.1:{taken.getsockname()[1]}/") == {}


def test_a_proxy_of_the_environment_is_not_asked_for_loopback(answers, monkeypatch):
    monkeypatch.setattr(Answer, "body", b'{"here": true}')
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert fetched(answers) == {"here": True}


def test_until_returns_when_the_condition_holds():
    asked = iter([False, False, True])
    assert until(lambda: next(asked), 10)


def test_until_asks_once_even_when_there_is_no_time():
    assert until(lambda: True, 0)


def test_until_gives_up_when_the_time_has_passed():
    assert not until(lambda: False, 0.1)


def test_until_gives_up_when_it_is_told_to_stop():
    asked = []
    assert not until(lambda: bool(asked.append(1)), 60, lambda: len(asked) > 1)
    assert len(asked) == 2
