"""A node: an EC2 instance as this machine can have it. A folder for its disk, an address, a name, its processes.

It knows nothing of EMR. What runs on it is told by ``Daemon`` and by commands.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import psutil

from .. import processes

MARK = "EMRLAB_NODE"
FOLDERS = ("etc", "home/hadoop", "mnt/tmp", "usr/bin", "var/log", "var/run")
# What a node keeps of the region's own environment; everything else of the user's stays outside.
KEPT = ("LANG", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
KEPT_PREFIXES = ("LC_", "AWS_", "EMRLAB_", "PIP_")
ROUNDS = 20  # of looking for processes of a node that ends
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Daemon:
    """A service of a node. ``log``: its output, relative to the node's ``var/log``. ``ready``: it answers.

    ``after``: what must hold before it is started. ``needed``: whether a node without it is no node.
    """

    name: str
    command: Sequence[str]
    log: str
    ready: Callable[[], bool]
    after: Callable[[], bool] | None = None
    needed: bool = True
    env: Mapping[str, str] = field(default_factory=dict)


class Node:
    """``folder``: its root; ``address``: 127.x.y.z; ``name``: its private DNS name; ``owner``: its home's mark."""

    def __init__(self, folder: Path, address: str, name: str, owner: str) -> None:
        self.folder, self.address, self.name, self.owner = folder, address, name, owner
        self.settings: dict[str, str] = {}
        self.daemons: dict[str, subprocess.Popen[bytes]] = {}
        self.farewells: list[Callable[[], object]] = []  # what else ends with the node
        self._lock = threading.Lock()
        self._stopped = False

    def path(self, *parts: str) -> Path:
        return self.folder.joinpath(*parts)

    def make(self) -> None:
        """The node's folders. Raises ``OSError``."""
        for name in FOLDERS:
            self.path(name).mkdir(parents=True, exist_ok=True)

    @property
    def environment(self) -> dict[str, str]:
        """What every process of the node has; ``settings`` of its applications included."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if name in KEPT or name.startswith(KEPT_PREFIXES) or name.lower().endswith("_proxy")
        }
        return {
            "LANG": "C.UTF-8",
            **kept,
            processes.OWNER: self.owner,
            MARK: str(self.folder),
            "EMRLAB_NODE_IP": self.address,
            "EMRLAB_NODE_NAME": self.name,
            "HOME": str(self.path("home", "hadoop")),
            "USER": "hadoop",
            "LOGNAME": "hadoop",
            "HOSTNAME": self.name,
            "TMPDIR": str(self.path("mnt", "tmp")),
            "PATH": f"{self.path('usr', 'bin')}:{SYSTEM_PATH}",
            "MALLOC_ARENA_MAX": "1",
            **self.settings,
        }

    def write_environment(self) -> None:
        """``etc/environment``: KEY=VALUE lines, what a login has."""
        lines = (f"{name}={value}\n" for name, value in sorted(self.environment.items()) if "\n" not in value)
        self.write("etc/environment", "".join(lines))

    def write(self, name: str, text: str, executable: bool = False) -> Path:
        """A file of the node, whole or not at all."""
        file = self.path(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_name(f".{file.name}.new")
        temporary.write_text(text)
        if executable:
            temporary.chmod(0o755)
        temporary.replace(file)
        return file

    # Processes

    def run(
        self, command: Sequence[str], env: Mapping[str, str] | None = None, **options: Any
    ) -> subprocess.Popen[Any]:
        """Start a process on the node, in a session of its own: ``signal_group`` reaches all of it."""
        options.setdefault("cwd", self.path("home", "hadoop"))
        options.setdefault("stdin", subprocess.DEVNULL)
        with self._lock:
            if self._stopped:
                raise ProcessLookupError(f"{self.name} is stopped")
            return subprocess.Popen(
                list(command), env={**self.environment, **(env or {})}, start_new_session=True, **options
            )

    def start(self, daemon: Daemon) -> None:
        """Start ``daemon``; what it says goes to its log."""
        log = self.path("var", "log", daemon.log)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as out:
            self.daemons[daemon.name] = self.run(daemon.command, daemon.env, stdout=out, stderr=out)

    def end(self, name: str, grace: float = 10.0) -> None:
        """End one daemon, so that it can be started anew."""
        process = self.daemons.pop(name, None)
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(grace)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def ended(self, name: str) -> int | None:
        """The exit status of a daemon that was started and runs no more; None while it runs."""
        process = self.daemons.get(name)
        return None if process is None else process.poll()

    def processes(self) -> list[psutil.Process]:
        """All living processes of the node, YARN's containers among them."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get(MARK) == str(self.folder) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except (psutil.Error, OSError):
                continue
        return found

    def stop(self, grace: float = 2.0) -> None:
        """End every process of the node, as an instance's end does. Nothing can be started on it afterwards.

        ``grace``: seconds they have to end by themselves.
        """
        with self._lock:
            self._stopped = True
        for farewell in self.farewells:
            farewell()
        # Who is about to end may still start a child: look again until nobody is left.
        for _ in range(ROUNDS):
            if not (left := self.processes()):
                break
            processes.end(left, grace)
            grace = min(grace, 0.2)
        for process in self.daemons.values():
            process.poll()


def signal_group(process: subprocess.Popen[Any], number: signal.Signals) -> None:
    """Send a signal to a process that ``Node.run`` started and to all of its group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def tail(file: Path | IO[bytes], size: int = 4096) -> str:
    """The end of a log file; empty when there is none."""
    try:
        with file.open("rb") if isinstance(file, Path) else file as stream:
            stream.seek(0, os.SEEK_END)
            stream.seek(max(0, stream.tell() - size))
            return stream.read().decode(errors="replace")
    except OSError:
        return ""
