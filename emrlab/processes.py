"""Every process emrlab starts is owned: marked, found again, and ended.

A process is owned when its environment holds ``EMRLAB_OWNER=<home's mark>``. Children inherit the mark;
YARN containers get it through the NodeManager's environment whitelist.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator

import psutil

from .home import Home

OWNER = "EMRLAB_OWNER"


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
    """SIGTERM, then SIGKILL for what still lives after ``grace`` seconds. Returns how many were ended."""
    living = list(processes)
    for process in living:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    _, stubborn = psutil.wait_procs(living, timeout=grace)
    for process in stubborn:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(stubborn, timeout=grace)
    return len(living)
