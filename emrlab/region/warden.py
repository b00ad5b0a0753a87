"""The region's parent, and after its death the one who ends whatever it started.

``python -m emrlab.region.warden``, started by ``control.up``. It stays small: what the sweep needs is imported then.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from typing import Any

PR_SET_CHILD_SUBREAPER = 36
GRACE = 3.0
LIMIT = 9.0


def become_subreaper() -> None:
    """Let every orphan below this process become its child (Linux; elsewhere only marks find processes)."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def main(arguments: list[str]) -> None:
    if os.fork():
        os._exit(0)  # so that whoever called `up` need not wait for us
    options = dict(argument.lstrip("-").split("=", 1) for argument in arguments)
    become_subreaper()
    # The region reads this pipe's end when we die; nobody else holds our side.
    life, held = os.pipe()
    os.set_inheritable(life, True)
    region = 0

    def forward(number: int, frame: Any) -> None:
        if region:
            os.kill(region, signal.SIGTERM)

    signal.signal(signal.SIGTERM, forward)
    signal.signal(signal.SIGINT, forward)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    command = [sys.executable, "-P", "-m", "emrlab.region.server", *arguments, f"--life={life}"]
    # Two arenas, and memory given back: the region has many threads and short peaks.
    env = {"MALLOC_ARENA_MAX": "2", "MALLOC_TRIM_THRESHOLD_": "131072", **os.environ}
    region = os.posix_spawn(sys.executable, command, env)
    os.close(life)
    os.close(int(options["report"]))
    while os.waitpid(-1, 0)[0] != region:
        pass  # an orphan that ended
    region = 0
    sweep()
    os.close(held)


def sweep() -> None:
    """End every descendant of this process and every process of this home: SIGTERM, then SIGKILL."""
    import psutil

    from ..home import home
    from ..processes import owned

    def living() -> list[psutil.Process]:
        reap()
        found = {*psutil.Process().children(recursive=True), *owned(home())}
        return [process for process in found if alive(process)]

    def alive(process: psutil.Process) -> bool:
        try:
            return process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False

    asked: set[psutil.Process] = set()
    begun = time.monotonic()
    while time.monotonic() < begun + LIMIT and (left := living()):
        late = time.monotonic() > begun + GRACE
        for process in left:
            if late or process not in asked:
                asked.add(process)
                with contextlib.suppress(psutil.Error):  # it ended by itself
                    process.kill() if late else process.terminate()
        time.sleep(0.05)


def reap() -> None:
    """Take leave of the children that ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


if __name__ == "__main__":
    main(sys.argv[1:])
