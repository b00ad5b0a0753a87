"""Every process emrlab starts is owned: marked, found again, and ended.

A process is owned when its environment holds ``EMRLAB_OWNER=<home's mark>``. Children inherit the mark;
YARN containers get it through the NodeManager's environment whitelist.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Iterator

import psutil

from .home import Home

OWNER = "EMRLAB_OWNER"
POLL = 0.02  # seconds between two looks at processes that end


def marked(home: Home, env: dict[str, str] | None = None) -> dict[str, str]:
    """``env`` (default: this process's) with the owner's mark."""
    return {**(os.environ if env is None else env), OWNER: home.mark}


def owned(home: Home, *, but: Iterable[int] = ()) -> Iterator[psutil.Process]:
    """All living processes that carry this home's mark, without this one and those in ``but``."""
    skip = {os.getpid(), *but}
    for process in psutil.process_iter():
        if process.pid in skip:
            continue
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(OWNER) == home.mark and process.status() != psutil.STATUS_ZOMBIE:
                yield process


def end(processes: Iterable[psutil.Process], grace: float = 3.0) -> int:
    """SIGTERM, then SIGKILL for what still lives after ``grace`` seconds. Returns how many were ended.

    Nobody's exit status is taken: who started a process still learns from it that it was killed.
    """
    living = list(processes)
    for process in living:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    stubborn = remaining(living, grace)
    for process in stubborn:
        with contextlib.suppress(psutil.Error):
            process.kill()
    remaining(stubborn, grace)
    return len(living)


def remaining(processes: Iterable[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Those that still live after at most ``seconds``."""
    deadline = time.monotonic() + seconds
    while (living := [process for process in processes if lives(process)]) and time.monotonic() < deadline:
        time.sleep(POLL)
    return living


def lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
