"""A session at work: a Spark Connect server on the cluster's master node, its tokens, its idle time, its end."""

from __future__ import annotations

import contextlib
import logging
import secrets
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Any

import psutil

from ... import processes
from ...applications import spark_connect
from ...errors import LabError
from ...nodes.node import Node, tail
from ...nodes.waiting import listening
from .. import failure, states
from ..beside import Worker
from ..records import Cluster
from ..states import WrongTransition
from .sessions import OPEN, Session

if TYPE_CHECKING:
    from ..service import EmrService

log = logging.getLogger(__name__)
PLACE = "mnt/var/lib/sessions"
LOGS = "var/log/spark/sessions"
FIRST_PORT = 15002  # Spark Connect's own; the next session of a cluster takes the next
LAST_PORT = FIRST_PORT + 1000
TOKEN_SECONDS = 3600
START_SECONDS = 180.0
LOOK = 0.2
GRACE = 5.0
PORTS = threading.Lock()
TAKEN: set[tuple[str, int]] = set()  # address and port of the servers that start or run


class SessionRun(Worker):
    """Runs one session, which is SUBMITTED, on a node of a living cluster."""

    def __init__(self, service: EmrService, record: Session, master: Node) -> None:
        super().__init__(record.id)
        self.service, self.history, self.record, self.master = service, service.history, record, master
        self.place = master.path(PLACE, record.id)
        self.logs = master.path(LOGS, record.id)
        self.tokens: list[tuple[str, int]] = []
        self.lock = threading.Lock()
        self.ending = threading.Event()
        self.why = "Terminated by user request"

    # What others may ask

    def halt(self) -> None:
        self.ending.set()

    def admit(self) -> tuple[str, int]:
        """A new token, and when it ends (seconds since 1970). Raises ``OSError``."""
        token, now = secrets.token_urlsafe(32), int(time.time())
        with self.lock:
            self.tokens = [one for one in self.tokens if one[1] > now] + [(token, now + TOKEN_SECONDS)]
            text = "".join(f"{one} {end}\n" for one, end in self.tokens)
            fresh = self.place / "tokens.new"
            fresh.touch(0o600)
            fresh.write_text(text)
            fresh.replace(self.place / "tokens")
        return token, now + TOKEN_SECONDS

    # The life

    def run(self) -> None:
        port = 0
        process: subprocess.Popen[Any] | None = None
        failed = ""
        try:
            port = take(self.master.address)
            self.move("STARTING", "Starting the Spark Connect server")
            if self.state() == "STARTING":  # else it has been terminated before
                process = self.start_server(port)
                failed = self.wait_until_up(process, port) or self.serve(process)
        except (LabError, OSError) as error:
            failed = str(error)
        except Exception as error:
            log.exception("session %s", self.record.id)
            failed = f"{type(error).__name__}: {error}"
        finally:
            TAKEN.discard((self.master.address, port))
        if not failed:
            self.move("TERMINATING", self.why)
        if process is not None:
            end(process)
        cluster = self.history.get(Cluster, self.record.cluster)
        if cluster is None or cluster.state not in states.OPEN:
            self.move("TERMINATED", "The cluster was terminated")
        elif failed:
            self.move("FAILED", failed[:2000])
        else:
            self.move("TERMINATED", self.why)

    def start_server(self, port: int) -> subprocess.Popen[Any]:
        for folder in (self.place, self.logs):
            folder.mkdir(parents=True, exist_ok=True)
        settings: dict[str, str] = {}
        for one in self.record.configurations:
            settings |= one.get("Properties") or {}
        command = spark_connect.command(self.master, self.record.id, self.place, port, settings)
        with (self.logs / "stdout").open("wb") as out, (self.logs / "stderr").open("wb") as err:
            return self.master.run(command, stdout=out, stderr=err, cwd=self.place)

    def wait_until_up(self, process: subprocess.Popen[Any], port: int) -> str:
        """Empty when it answers or is to end; else why it never will."""
        deadline = time.monotonic() + START_SECONDS
        while not listening(self.master.address, port):
            if process.poll() is not None:
                return self.cause(process)
            if time.monotonic() > deadline:
                return f"The Spark Connect server did not answer within {START_SECONDS:.0f} seconds."
            if self.ending.wait(LOOK):
                return ""
        with self.change() as now:
            now.endpoint = f"http://{self.master.address}:{port}"
        self.move("STARTED", "The Spark Connect server answers")
        self.move("IDLE", "")
        return ""

    def serve(self, process: subprocess.Popen[Any]) -> str:
        """Until it is to end; empty then, else why it has ended."""
        idle = time.monotonic()
        state = "IDLE"
        while not self.ending.wait(LOOK):
            if process.poll() is not None:
                return self.cause(process)
            said = self.activity()
            if said != state:
                state = said
                self.move(state, "")
                idle = time.monotonic()
            limit = self.service.clock.true(self.record.idle_minutes * 60)
            if state == "IDLE" and time.monotonic() - idle > limit:
                self.why = f"The session was idle for {self.record.idle_minutes} minutes"
                return ""
        return ""

    def activity(self) -> str:
        with contextlib.suppress(OSError):
            if (self.place / "activity").read_text() in OPEN:
                return (self.place / "activity").read_text()
        return "IDLE"

    def cause(self, process: subprocess.Popen[Any]) -> str:
        said = failure.cause(tail(self.logs / "stderr", 256 * 1024))
        return said or f"The Spark Connect server ended with status {process.returncode}."

    def state(self) -> str:
        found = self.history.get(Session, self.record.id)
        return found.state if found else ""

    def change(self) -> contextlib.AbstractContextManager[Session]:
        return self.history.changing(Session, self.record.id)

    def move(self, state: str, reason: str) -> None:
        with contextlib.suppress(WrongTransition), self.change() as now:
            now.move(state, reason)
            now.updated = time.time()
            now.idle = now.updated if state == "IDLE" else now.idle


def take(address: str) -> int:
    """A port of ``address`` for one more server."""
    with PORTS:
        for port in range(FIRST_PORT, LAST_PORT):
            if (address, port) not in TAKEN and not listening(address, port):
                TAKEN.add((address, port))
                return port
    raise LabError("There is no port left for one more session.")


def end(process: subprocess.Popen[Any]) -> None:
    """The server's JVM and what it has started."""
    with contextlib.suppress(psutil.Error):
        top = psutil.Process(process.pid)
        processes.end([*top.children(recursive=True), top], GRACE)
    process.poll()


def worker(service: EmrService, session_id: str) -> SessionRun | None:
    found = service.beside.get(session_id)
    return found if isinstance(found, SessionRun) else None
