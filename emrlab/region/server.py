"""The region's process: ``python -m emrlab.region.server``, started by the warden."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import errno
import json
import logging
import os
import shutil
import signal
import socket
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn

from ..errors import LabError
from ..home import Home, home
from . import control, credentials, ministack_hooks, ministack_trails, warden
from .audit import Audit
from .audit_store import AuditStore
from .borrowed import Borrowed
from .default_roles import DefaultRoles
from .event_bus import EventBus
from .gateway import Gateway, build_app
from .trails import Trails

if TYPE_CHECKING:
    from ..emr.service import EmrService

log = logging.getLogger("emrlab.region")
FIRST_PORT = 4510
PORTS_TRIED = 200
# After the warden's death nobody else ends what the region owns: whatever hangs, it is done by then.
ORPHANED_SECONDS = 4.0


class Server(uvicorn.Server):
    """uvicorn that says when it listens and leaves the signals to us."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()


def bind(port: int | None, last: int | None) -> socket.socket:
    """A socket on loopback: at ``port``, or without one at the port used last or the first free one.

    Raises ``LabError`` when ``port`` cannot be had.
    """
    candidates = [port] if port else [*([last] if last else []), *range(FIRST_PORT, FIRST_PORT + PORTS_TRIED)]
    for candidate in candidates:
        found = socket.socket()
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind(("127.0.0.1", candidate))
            found.listen(512)
        except OSError as error:
            found.close()
            if port is None:
                continue
            if error.errno == errno.EADDRINUSE:
                other = port + 1 if port < 65535 else FIRST_PORT
                raise LabError(
                    f"Port {port} of 127.0.0.1 is in use. Choose another: emrlab up --port {other}, or end what uses it"
                ) from error
            raise LabError(
                f"Port {port} of 127.0.0.1 cannot be used ({error.strerror}). "
                f"Choose one above 1023: emrlab up --port {FIRST_PORT}"
            ) from error
        return found
    raise LabError(
        f"No port from {FIRST_PORT} to {FIRST_PORT + PORTS_TRIED - 1} is free. Name one that is: emrlab up --port …"
    )


def last_port(place: Home) -> int | None:
    try:
        return int((place.region / "port").read_text())
    except (OSError, ValueError):
        return None


def replace(file: Path, text: str) -> None:
    """Write a file whole or not at all."""
    temporary = file.with_suffix(".tmp")
    temporary.write_text(text)
    temporary.replace(file)


class Reports:
    """Lines to whoever called ``up``; it may have gone away."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def __call__(self, kind: str, text: str = "") -> None:
        with contextlib.suppress(OSError):
            os.write(self.descriptor, f"{kind} {text}\n".encode())

    def close(self) -> None:
        os.close(self.descriptor)
        self.descriptor = -1


def load_emr(place: Home, endpoint: str, bus: EventBus) -> EmrService:
    """EMR, imported late: what refuses to start needs no engines."""
    from ..emr.service import EmrService

    return EmrService(place, endpoint, control.ACCOUNT, bus)


@contextlib.asynccontextmanager
async def serving(app: Gateway, listener: socket.socket) -> AsyncIterator[Server]:
    """uvicorn around ``app``, listening inside the block."""
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=3,
        timeout_keep_alive=75,
    )
    server = Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    await asyncio.wait({task, asyncio.create_task(server.listening.wait())}, return_when=asyncio.FIRST_COMPLETED)
    try:
        yield server
    finally:
        server.should_exit = True
        await task


@contextlib.asynccontextmanager
async def auditing(app: Gateway, place: Home, bus: EventBus) -> AsyncIterator[None]:
    """What ``app`` is asked inside the block is recorded, and delivered by CloudTrail's trails."""
    from ..clock import Clock

    store = AuditStore(place.region / "audit.sqlite")
    trails = Trails(store, app.borrowed, bus, Clock(place).true)
    audit = app.audit = Audit(store, trails.tell)
    ministack_trails.install(audit.lookup, trails.status)
    audit.start()
    task = asyncio.create_task(trails.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.to_thread(audit.stop)


async def run(place: Home, listener: socket.socket, life: int, report: Reports) -> None:
    """Serve until SIGTERM, or until the warden has died."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_reader(life, orphaned, loop, life, stop)
    port = listener.getsockname()[1]
    endpoint = f"http://127.0.0.1:{port}"
    about: dict[str, Any] = {
        "endpoint": endpoint,
        "pid": os.getpid(),
        "warden_pid": os.getppid(),
        "account": control.ACCOUNT,
        "name": control.NAME,
        "home": str(place.root),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    borrowed = Borrowed()
    await borrowed.start()
    bus = EventBus(borrowed.keeper, loop)
    emr = await asyncio.to_thread(load_emr, place, endpoint, bus)
    told = {key: about[key] for key in about if key != "home"}
    app = build_app(place, emr=None, borrowed=borrowed, roles=DefaultRoles(place), **told)
    async with auditing(app, place, bus), serving(app, listener):
        report("say", "The endpoint answers; EMR looks at what an earlier run left …")
        await asyncio.to_thread(emr.start)  # it uses S3; asked before, it would take new clusters for lost ones
        app.emr = emr
        replace(place.region / "port", str(port))
        replace(control.recorded(place), json.dumps(about))
        report("ready")
        report.close()
        log.info("the region answers at %s", endpoint)
        await stop.wait()
        log.info("the region stops")
        control.recorded(place).unlink(missing_ok=True)
        await asyncio.to_thread(emr.stop)
    await borrowed.stop()


def orphaned(loop: asyncio.AbstractEventLoop, life: int, stop: asyncio.Event) -> None:
    """The warden is dead: stop, and do its work."""
    log.warning("the warden is gone: the region stops")
    loop.remove_reader(life)
    impatient = threading.Timer(ORPHANED_SECONDS, end_all)
    impatient.daemon = True
    impatient.start()
    stop.set()


def end_all() -> None:
    warden.sweep()
    os._exit(1)


def main() -> int:
    parser = argparse.ArgumentParser()
    for name in ("lock", "report", "life"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--port", type=int)
    options = parser.parse_args()
    for descriptor in (options.lock, options.report, options.life):
        os.set_inheritable(descriptor, False)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("emrlab").setLevel(logging.INFO)
    place, report = home(), Reports(options.report)
    try:
        listener = bind(options.port, last_port(place))
    except LabError as error:
        report("error", str(error))
        return 1
    port = listener.getsockname()[1]
    for name in ministack_hooks.foreign(os.environ):
        del os.environ[name]
    os.environ.pop("PYTHONPATH", None)
    os.environ |= credentials.environment(place, f"http://127.0.0.1:{port}", control.NAME)
    os.environ |= ministack_hooks.settings(place, port, control.ACCOUNT, control.NAME)
    use_own_temporary_folder(place)
    import uvloop

    try:
        uvloop.run(run(place, listener, options.life, report))
    except LabError as error:
        report("error", str(error))
        return 1
    except Exception as error:
        log.exception("the region ends")
        said = (
            f"The region did not start ({type(error).__name__}: {error}). Its log has more: {control.log_file(place)}"
        )
        report("error", " ".join(said.split()))
        return 1
    finally:
        if not warden_lives(options.life):
            warden.sweep()
    return 0


def use_own_temporary_folder(place: Home) -> None:
    """Borrowed services unpack functions and scripts into temporary folders: below the home, empty at every start."""
    folder = place.region / "tmp"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    tempfile.tempdir = str(folder)


def warden_lives(life: int) -> bool:
    """Whether the pipe that the warden holds is still open."""
    import select

    return not select.select([life], [], [], 0)[0]


if __name__ == "__main__":
    code = 1
    try:
        code = main()
    finally:
        logging.shutdown()
        os._exit(code)  # a borrowed service's thread that waits for something must not keep the process
