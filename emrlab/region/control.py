"""Start, find and stop the one region of a home. Light to import: notebooks and the command line do."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from .. import processes
from ..errors import LabError
from ..home import Home
from ..home import home as current_home
from . import credentials

ACCOUNT = "123456789012"
NAME = "us-east-1"
HEALTH = "/_emrlab/health"
COSTS = "/_emrlab/costs/"  # and a cluster's id: AWS has no API for what one cluster costs
START_SECONDS = 60.0
STOP_SECONDS = 30.0
SWEEP_SECONDS = 10.0  # what the warden takes at most
LOG_BYTES = 5_000_000
NEEDED_BYTES = 1_000_000

Say = Callable[[str], object]


@dataclass(frozen=True)
class Region:
    """A running region: one AWS endpoint on loopback, and the two processes behind it."""

    endpoint: str
    pid: int
    warden_pid: int
    account: str
    name: str
    home: Path
    started: str


def up(home: Home | None = None, port: int | None = None, progress: Say | None = None) -> Region:
    """The running region of ``home``, started when there is none. Returns once it answers.

    ``port``: the endpoint's; by default the one used last, else the first free one from 4510 on.
    Raises ``LabError`` when the port is taken, the home cannot be written, or the region does not start.
    """
    home, say = home or current_home(), progress or silent
    if port is not None and not (isinstance(port, int) and 1 <= port <= 65535):
        raise LabError(f"{port!r} is no port: choose a number from 1024 to 65535, as in emrlab up --port 4510")
    if region := status(home):
        return region
    prepare(home)
    with contextlib.ExitStack() as stack:
        lock = acquire(home, say)
        if isinstance(lock, Region):
            return lock
        stack.callback(os.close, lock)
        leftovers = list(processes.owned(home, but=ancestors()))
        if leftovers:
            say(f"Ending {len(leftovers)} processes an earlier region left behind …")
            processes.end(leftovers)
        say("Starting the region …")
        start(home, lock, port, say)
    region = status(home)
    if region is None:
        raise LabError(f"The region ended as soon as it had started. Its log says why: {log_file(home)}")
    return region


def down(home: Home | None = None, progress: Say | None = None) -> bool:
    """Stop the region of ``home`` and every process it owns, also when it hangs or is half dead.

    True when something was running. Raises ``LabError`` when a process cannot be ended.
    """
    home, say = home or current_home(), progress or silent
    skip = ancestors()
    found = {process.pid: process for process in processes.owned(home, but=skip)}
    if not found:
        recorded(home).unlink(missing_ok=True)
        return False
    note = read(home)
    region, warden = found.get(note.get("pid", -1)), found.get(note.get("warden_pid", -1))
    if region is not None:
        say("Stopping the region …")
        patience = STOP_SECONDS if answers(note) else 3.0
        with contextlib.suppress(psutil.Error):
            region.terminate()
        both = [one for one in (region, warden) if one]
        until_gone(both, patience)
        with contextlib.suppress(psutil.Error):
            region.kill()  # it hangs; its warden, which now ends the others, need not
        until_gone(both, SWEEP_SECONDS)
    for attempt in range(3):
        living = list(processes.owned(home, but=skip))
        if not living:
            break
        say(f"Ending {len(living)} processes that are left …")
        processes.end(living, grace=3.0 if attempt == 0 else 0.5)
    recorded(home).unlink(missing_ok=True)
    if living := list(processes.owned(home, but=skip)):
        listed = " ".join(str(process.pid) for process in living)
        raise LabError(f"These processes do not end: {listed}. End them yourself: kill -9 {listed}")
    return True


def status(home: Home | None = None) -> Region | None:
    """The region of ``home`` if it answers, else None."""
    home = home or current_home()
    note = read(home)
    answer = answers(note)
    if not answer or answer.get("home") != str(home.root) or answer.get("pid") != note.get("pid"):
        return None
    return Region(
        endpoint=note["endpoint"],
        pid=note["pid"],
        warden_pid=note["warden_pid"],
        account=note["account"],
        name=note["name"],
        home=home.root,
        started=note["started"],
    )


def environment(region: Region) -> dict[str, str]:
    """What points AWS clients at ``region``, and keeps them from every real account: see ``credentials``."""
    return credentials.environment(Home(region.home), region.endpoint, region.name)


def names(home: Home | None = None) -> list[str]:
    """The variables that ``environment`` sets, also when no region runs."""
    return list(credentials.environment(home or current_home(), "", NAME))


# Behind the door


def silent(_: str) -> None:
    """Progress nobody asked for."""


def recorded(home: Home) -> Path:
    return home.region / "region.json"


def log_file(home: Home) -> Path:
    return home.region / "region.log"


def read(home: Home) -> dict[str, Any]:
    """What the region wrote about itself; empty when it did not, or not whole."""
    try:
        note = json.loads(recorded(home).read_text())
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def answers(note: dict[str, Any], timeout: float = 3.0) -> dict[str, Any] | None:
    """What the endpoint of ``note`` says of its health; None when it says nothing."""
    endpoint = note.get("endpoint")
    if not isinstance(endpoint, str):
        return None
    import http.client

    connection = http.client.HTTPConnection(endpoint.removeprefix("http://"), timeout=timeout)
    try:
        connection.request("GET", HEALTH)
        answer = json.loads(connection.getresponse().read())
    except (OSError, ValueError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    return answer if isinstance(answer, dict) else None


def ancestors() -> list[int]:
    """The processes above this one: a shell on a node may be owned, and ask for the end of all others."""
    with contextlib.suppress(psutil.Error):
        return [parent.pid for parent in psutil.Process().parents()]
    return []


def until_gone(those: list[psutil.Process], seconds: float) -> None:
    """Wait until all have ended. A zombie counts: in a container nobody may take leave of it."""

    def lives(process: psutil.Process) -> bool:
        try:
            return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False

    deadline = time.monotonic() + seconds
    while any(lives(one) for one in those) and time.monotonic() < deadline:
        time.sleep(0.02)


def prepare(home: Home) -> None:
    """The region's folder, with room to write in; a ``LabError`` when there cannot be one."""
    elsewhere = "or choose another folder: export EMRLAB_HOME=…"
    try:
        home.region.mkdir(parents=True, exist_ok=True)
        probe = home.region / ".probe"
        try:
            with probe.open("wb") as file:
                file.write(bytes(NEEDED_BYTES))
                file.flush()
                os.fsync(file.fileno())
        finally:
            probe.unlink(missing_ok=True)
        credentials.write(home, NAME)
        log = log_file(home)
        if log.exists() and log.stat().st_size > LOG_BYTES:
            log.replace(log.with_suffix(".log.1"))
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise LabError(f"No space is left for {home.root}. Free some (emrlab doctor), {elsewhere}") from error
        reason = error.strerror or str(error)
        raise LabError(f"{home.root} cannot be written ({reason}). Make it writable, {elsewhere}") from error


def acquire(home: Home, say: Say) -> int | Region:
    """The home's lock as a file descriptor, or the region that came up meanwhile.

    Warden and region inherit the descriptor, so the lock is free only when both have ended.
    """
    lock = os.open(home.region / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    deadline, told = time.monotonic() + START_SECONDS, False
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                os.close(lock)
                raise LabError(
                    f"{home.root} cannot be locked ({error.strerror}). Put the home on a local disk: "
                    "export EMRLAB_HOME=…"
                ) from error
        if region := status(home):
            os.close(lock)
            return region
        if time.monotonic() > deadline:
            os.close(lock)
            raise LabError(
                f"A region of {home.root} is running but does not answer. End it, then start again: "
                "emrlab down && emrlab up"
            )
        if not told:
            say("Another region of this home is starting or ending; waiting for it …")
            told = True
        time.sleep(0.05)


def start(home: Home, lock: int, port: int | None, say: Say) -> None:
    """Start warden and region; return when the region reports that it answers."""
    reading, writing = os.pipe()
    package = Path(__file__).resolve().parents[2]
    env = processes.marked(home)
    env["EMRLAB_HOME"] = str(home.root)
    env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(package), env.get("PYTHONPATH")]))
    command = [sys.executable, "-P", "-m", "emrlab.region.warden", f"--lock={lock}", f"--report={writing}"]
    command += [f"--port={port}"] if port else []
    try:
        with log_file(home).open("ab") as log:
            launched = subprocess.Popen(
                command,
                env=env,
                cwd=home.region,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(lock, writing),
                start_new_session=True,
            )
            launched.wait()  # it daemonises at once
        os.close(writing)
        writing = -1
        for line in reports(reading, START_SECONDS):
            kind, _, text = line.partition(" ")
            if kind == "ready":
                return
            if kind == "error":
                raise LabError(text)
            say(text)
    except OSError as error:
        raise LabError(
            f"The region cannot be started ({error.strerror}). Look for the reason: emrlab doctor"
        ) from error
    finally:
        os.close(reading)
        if writing >= 0:
            os.close(writing)
    down(home)
    raise LabError(f"The region did not start. Its log says why: {log_file(home)}")


def reports(descriptor: int, seconds: float) -> Iterator[str]:
    """Lines written to a pipe, until its other end closes or ``seconds`` have passed."""
    deadline, rest = time.monotonic() + seconds, b""
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while selector.select(max(0.0, deadline - time.monotonic())):
            data = os.read(descriptor, 4096)
            if not data:
                return
            *lines, rest = (rest + data).split(b"\n")
            yield from (line.decode() for line in lines)
