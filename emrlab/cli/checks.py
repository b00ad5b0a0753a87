"""What the doctor looks at. Each check is one function; none starts or changes anything."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..errors import LabError
from ..home import cache, home
from .console import size

GB = 10**9
DISK_FAIL, DISK_WARN = 2 * GB, 6 * GB
MEMORY_FAIL, MEMORY_WARN = 1.2 * GB, 3 * GB
PORTS = {8888: "JupyterLab takes the next free one; or name one: emrlab lab --port 8889"}
Level = Literal["ok", "warn", "fail"]
LEVELS: tuple[Level, ...] = ("ok", "warn", "fail")


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's: ``todo`` says what to do unless all is well."""

    name: str
    level: Level
    text: str
    todo: str = ""


def run(check: Callable[[], Finding]) -> Finding:
    """A check's finding; a check that cannot be made is itself a finding."""
    name = check.__name__.replace("_", " ").capitalize()
    try:
        return check()
    except LabError as error:
        return Finding(name, "fail", str(error))
    except Exception as error:  # the doctor must finish whatever is broken
        return Finding(name, "fail", f"{type(error).__name__}: {error}", "Run `make setup` in the checkout again.")


def python() -> Finding:
    version = sys.version.split()[0]
    if sys.version_info[:2] != (3, 11):
        return Finding("Python", "fail", f"{version} at {sys.executable}", "Use 3.11: make setup makes .venv with it.")
    return Finding("Python", "ok", f"{version} at {sys.executable}")


def java() -> Finding:
    from ..nodes.jre import java_home

    folder = Path(java_home())
    asking = [str(folder / "bin" / "java"), "-XX:-UsePerfData", "-version"]
    asked = subprocess.run(asking, capture_output=True, text=True, timeout=30, check=False)
    if asked.returncode:
        reason = (asked.stderr.strip().splitlines() or ["it says nothing"])[0]
        return Finding("Java", "fail", f"{folder} does not run: {reason}", "Run `make setup`, or set EMRLAB_JAVA_HOME.")
    origin = "EMRLAB_JAVA_HOME" if os.environ.get("EMRLAB_JAVA_HOME") else "the environment's own"
    return Finding("Java", "ok", f"{asked.stderr.splitlines()[0]} ({origin}, {folder})")


def memory() -> Finding:
    """What this process may use: the machine's memory or its cgroup's, whichever is less."""
    import psutil

    from ..profile import profile

    chosen = profile()
    free = psutil.virtual_memory().available
    usable = min(free, chosen.memory_bytes)
    text = f"{size(usable)} available of {size(chosen.memory_bytes)} this process may use; profile {chosen.name}"
    if usable < MEMORY_FAIL:
        return Finding("Memory", "fail", text, "A small cluster needs 1.2 GB: end other programs, or clusters.")
    if usable < MEMORY_WARN:
        return Finding("Memory", "warn", text, "Enough for one master and one core node: keep clusters small.")
    return Finding("Memory", "ok", text)


def disk() -> Finding:
    text, todo, worst = [], "", 0
    for name, folder in (("home", home().root), ("cache", cache())):
        elsewhere = f"put the {name} elsewhere: export EMRLAB_{name.upper()}=…"
        there = next(parent for parent in (folder, *folder.parents) if parent.exists())
        if not os.access(there, os.W_OK):
            return Finding("Disk", "fail", f"{there} is not writable", f"Make it so, or {elsewhere}")
        free = shutil.disk_usage(there).free
        text.append(f"{size(free)} free for the {name} ({folder})")
        badness = (free < DISK_WARN) + (free < DISK_FAIL)
        if badness > worst:
            worst, todo = badness, f"Free some space, or {elsewhere}"
    return Finding("Disk", LEVELS[worst], ", ".join(text), todo)


def loopback() -> Finding:
    """Whether nodes can have addresses of their own (127.x.y.z), as every Linux allows."""
    try:
        with socket.socket() as probe:
            probe.bind(("127.83.83.83", 0))
    except OSError as error:
        todo = "Clusters cannot start without: use Linux (on Windows: WSL 2), or Binder."
        return Finding("Loopback", "fail", f"127.83.83.83 cannot be used ({error.strerror})", todo)
    return Finding("Loopback", "ok", "every node gets an address 127.x.y.z of its own")


def ports() -> Finding:
    taken = [port for port in PORTS if not free_port(port)]
    if taken:
        listed = ", ".join(str(port) for port in taken)
        return Finding("Ports", "warn", f"in use on 127.0.0.1: {listed}", " ".join(PORTS[port] for port in taken))
    return Finding("Ports", "ok", f"free on 127.0.0.1: {', '.join(map(str, PORTS))} (JupyterLab)")


def free_port(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def downloads() -> Finding:
    from ..applications import resolve
    from ..nodes.artifacts import Store
    from .fetch import BASE, artifacts_of

    missing = Store().missing(artifacts_of(resolve(BASE)))
    if missing:
        total = size(sum(artifact.size for artifact in missing))
        return Finding("Downloads", "warn", f"{total} of Hadoop and Spark are not here yet", "Fetch them: emrlab fetch")
    return Finding("Downloads", "ok", f"Hadoop and Spark are in {cache()}")


def region() -> Finding:
    from ..region import control

    found = control.status()
    if found is None:
        return Finding("Region", "ok", f"none is running (start it: emrlab up); home {home().root}")
    return Finding("Region", "ok", f"answers at {found.endpoint} (pid {found.pid}); home {home().root}")


def leftovers() -> Finding:
    """Processes of this home while no region runs."""
    from ..processes import owned
    from ..region import control

    living = list(owned(home()))
    if living and control.status() is None:
        listed = ", ".join(str(process.pid) for process in living)
        return Finding("Leftovers", "fail", f"no region runs, but its processes do: {listed}", "End them: emrlab down")
    return Finding("Leftovers", "ok", f"{len(living)} processes of the region" if living else "none")


ALL: tuple[Callable[[], Finding], ...] = (
    python,
    java,
    memory,
    disk,
    loopback,
    ports,
    downloads,
    region,
    leftovers,
)
