"""What tests on real clusters have in common: asking, waiting, a login, and a machine's death."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from emrlab.home import Home
from emrlab.processes import owned


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def waiter(usually: float) -> Callable[..., Any]:
    """``until(condition)``: what it is when it holds; fails after ``usually`` seconds, or as many as given."""

    def until(condition: Callable[[], Any], seconds: float = usually) -> Any:
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < deadline, condition
            time.sleep(0.1)
        return found

    return until


def on_master(cluster: str, command: str) -> str:
    """A command on the master node, as ``emrlab ssh`` runs it: its output."""
    done = subprocess.run(
        [sys.executable, "-m", "emrlab", "ssh", cluster, command],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def kill_node(home: Home, folder: Path) -> None:
    """All processes of a node die at once, as with a machine."""
    for process in owned(home):
        try:
            if process.environ().get("EMRLAB_NODE") == str(folder):
                process.kill()
        except psutil.Error:
            continue
