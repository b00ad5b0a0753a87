"""Conditions to wait on, and the waiting."""

from __future__ import annotations

import json
import socket
import time
import urllib.request
from collections.abc import Callable
from typing import Any

POLL = 0.05
# Loopback needs no proxy, whatever the environment says.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def listening(address: str, port: int) -> bool:
    """Whether something accepts connections at ``address:port``."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((address, port)) == 0


def fetched(url: str, timeout: float = 2.0) -> dict[str, Any]:
    """What ``url`` answers as JSON; empty while it does not."""
    try:
        with OPENER.open(url, timeout=timeout) as answer:
            found = json.loads(answer.read())
            return found if isinstance(found, dict) else {}
    except (OSError, ValueError):
        return {}


def until(condition: Callable[[], bool], seconds: float, stop: Callable[[], bool] = lambda: False) -> bool:
    """Wait for ``condition``; False when ``seconds`` have passed or ``stop`` says so."""
    deadline = time.monotonic() + seconds
    while not stop():
        if condition():
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL)
    return False
