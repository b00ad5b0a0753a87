"""Locked artifacts: fetched in parallel from the Maven repository, checked by sha256, kept in the cache.

A lock file holds one artifact per line: ``group:artifact:version[:classifier][@extension]``, sha256 and bytes,
separated by tabs. Nothing is resolved at run time, and ``jgo`` knows where the repository is.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from filelock import FileLock

from ..errors import LabError
from ..home import cache

if TYPE_CHECKING:
    from .bundles import Imported

Progress = Callable[[int, int], None]

THREADS = 16
ATTEMPTS = 3
TIMEOUT = (10, 60)  # seconds to connect, and between two pieces of an answer
MARGIN = 64 * 2**20  # bytes of the disk that stay free
NAME = r"[A-Za-z0-9_][A-Za-z0-9_.+-]*"
COORDINATE = re.compile(rf"({NAME}):({NAME}):({NAME})(?::({NAME}))?(?:@({NAME}))?")
HASH = re.compile(r"[0-9a-f]{64}")


class ArtifactError(LabError):
    """What an application needs is not here and cannot be had."""


@dataclass(frozen=True)
class Artifact:
    """One file of a Maven repository: ``coordinate``, its ``sha256`` (hex) and ``size`` (bytes)."""

    coordinate: str
    sha256: str
    size: int

    def __post_init__(self) -> None:
        if not COORDINATE.fullmatch(self.coordinate) or not HASH.fullmatch(self.sha256) or self.size < 0:
            raise ArtifactError(f"{self.coordinate!r} is not a locked artifact. Renew the lock: tools/make_lock.py")

    @cached_property
    def parts(self) -> tuple[str, str, str, str, str]:
        """group, artifact, version, classifier (or ``""``), extension."""
        found = COORDINATE.fullmatch(self.coordinate)
        assert found is not None
        group, name, version, classifier, extension = found.groups()
        return group, name, version, classifier or "", extension or "jar"

    @property
    def group(self) -> str:
        return self.parts[0]

    @property
    def name(self) -> str:
        return self.parts[1]

    @property
    def version(self) -> str:
        return self.parts[2]

    @property
    def filename(self) -> str:
        """``<artifact>-<version>[-classifier].jar``, as Maven calls it."""
        _, name, version, classifier, extension = self.parts
        return f"{name}-{version}{'-' + classifier if classifier else ''}.{extension}"

    @property
    def relative(self) -> str:
        """Where it lies in a store and in a bundle: ``<group>/<filename>``."""
        return f"{self.group}/{self.filename}"

    @property
    def mtime(self) -> int:
        """The time a checked file of this content carries, in seconds: any later change of the file betrays itself.

        Derived from the hash, so the same on every machine: class-data archives, which remember their jars' times,
        stay valid when a jar had to be fetched again. Even, because some file systems count in twos.
        """
        return 946_684_800 + 2 * int(self.sha256[:7], 16)


@lru_cache
def read_lock(path: Path | str) -> tuple[Artifact, ...]:
    """The artifacts a lock file names, in its order. Raises ``ArtifactError`` for a line that is none."""
    artifacts = []
    for number, line in enumerate(Path(path).read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = line.split("\t")
        if len(fields) != 3 or not fields[2].isdecimal():
            raise ArtifactError(f"{path}, line {number} is not a locked artifact. Renew the lock: tools/make_lock.py")
        artifacts.append(Artifact(fields[0], fields[1], int(fields[2])))
    return tuple(artifacts)


class Store:
    """The folder of checked artifacts, shared by all homes and checkouts of a user."""

    def __init__(self, root: Path | str | None = None) -> None:
        self.root = Path(root) if root is not None else cache() / "artifacts"

    def path(self, artifact: Artifact) -> Path:
        """Where ``artifact`` lies, or will."""
        return self.root / artifact.group / artifact.filename

    def missing(self, artifacts: Iterable[Artifact]) -> list[Artifact]:
        """Those not here, damaged ones among them. One ``stat`` each; a file not yet checked is hashed once."""
        return [artifact for artifact in dict.fromkeys(artifacts) if not self.here(artifact)]

    def fetch(
        self, artifacts: Iterable[Artifact], what: str = "Applications", progress: Progress | None = None
    ) -> dict[Artifact, Path]:
        """Download what is missing; answer where each artifact lies, in the order given.

        ``progress`` is called with (bytes done, bytes in all), from several threads but one at a time.
        Raises ``ArtifactError``, which names ``what``, how much is missing and the command to run.
        """
        wanted = list(dict.fromkeys(artifacts))
        if self.missing(wanted):
            with self.locked(what, wanted):
                missing = self.missing(wanted)  # another process may have been faster
                if missing:
                    self._download(missing, what, progress)
        return {artifact: self.path(artifact) for artifact in wanted}

    def export_bundle(self, file: Path | str, artifacts: Iterable[Artifact]) -> None:
        """Write ``artifacts`` into one uncompressed tar, for machines without network."""
        from .bundles import write

        write(self, Path(file), artifacts)

    def import_bundle(self, file: Path | str, artifacts: Iterable[Artifact] = ()) -> Imported:
        """Take over what a bundle holds, each file checked; ``artifacts`` are those hoped for.

        Only files the bundle's list names are looked at, and each goes where its coordinate says. Raises
        ``ArtifactError`` when the bundle is none or damaged: what was whole is here all the same.
        """
        from .bundles import take

        return take(self, Path(file), artifacts)

    # Files

    def here(self, artifact: Artifact) -> bool:
        """Whether a checked file lies at its place."""
        path = self.path(artifact)
        try:
            found = path.stat()
        except OSError:
            return False
        if found.st_size != artifact.size:
            return False
        if int(found.st_mtime) == artifact.mtime:
            return True
        try:
            whole = digest(path) == artifact.sha256
            if whole:
                stamp(path, artifact)
        except OSError:
            return False
        return whole

    def _adopt(self, file: Path, artifact: Artifact) -> None:
        """Move a checked file of this file system to its place, in one step."""
        stamp(file, artifact)
        target = self.path(artifact)
        target.parent.mkdir(parents=True, exist_ok=True)
        file.replace(target)

    def take(self, artifact: Artifact, content: IO[bytes]) -> bool:
        """Copy ``content`` to its place; False, and nothing is kept, when it is not what the lock names."""
        with tempfile.TemporaryDirectory(prefix=".import-", dir=self.root) as folder:
            copy = Path(folder) / "file"
            with copy.open("wb") as out:
                shutil.copyfileobj(content, out, 2**20)
            if copy.stat().st_size != artifact.size or digest(copy) != artifact.sha256:
                return False
            self._adopt(copy, artifact)
            return True

    @contextmanager
    def locked(self, what: str, wanted: Iterable[Artifact]) -> Iterator[None]:
        """One writer at a time: a second process waits, then finds everything here. Leftovers of dead ones go."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.root / ".lock")
            lock.acquire()
        except OSError as error:
            raise ArtifactError(
                f"{what}: {amount(wanted)} must be downloaded into {self.root}, and {reason(error)}. "
                "Or choose another folder: export EMRLAB_CACHE=…"
            ) from error
        try:
            for leftover in self.root.glob(".*-*/"):
                shutil.rmtree(leftover, ignore_errors=True)
            yield
        finally:
            lock.release()

    def _download(self, missing: Sequence[Artifact], what: str, progress: Progress | None) -> None:
        total = sum(artifact.size for artifact in missing)
        free = shutil.disk_usage(self.root).free
        if free < total + MARGIN:
            raise refusal(what, missing, f"{self.root} has only {free / 1e6:.0f} MB free: free some space")
        meter = Meter(total, progress)
        stop = threading.Event()
        ordered = sorted(missing, key=lambda artifact: -artifact.size)
        try:
            with tempfile.TemporaryDirectory(prefix=".fetch-", dir=self.root) as folder:
                source = Source(Path(folder), meter)

                def one(artifact: Artifact) -> Exception | None:
                    if stop.is_set():
                        return None
                    try:
                        self._adopt(source.get(artifact, stop), artifact)
                    except Stopped:
                        return None
                    except Exception as error:
                        stop.set()  # the rest would fail likewise, or be fetched next time
                        return error
                    return None

                with ThreadPoolExecutor(THREADS, thread_name_prefix="fetch") as pool:
                    try:
                        errors = [error for error in pool.map(one, ordered) if error]
                    except BaseException:
                        stop.set()
                        raise
        except OSError as error:
            raise refusal(what, self.missing(missing), reason(error)) from error
        if errors:
            raise refusal(what, self.missing(missing), reason(errors[0])) from errors[0]


class Meter:
    """Adds up bytes of several threads; tells ``progress`` (bytes done, bytes in all)."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self.total = total
        self.done = 0
        self.progress = progress
        self.lock = threading.Lock()

    def add(self, count: int) -> None:
        with self.lock:
            self.done += count
            if self.progress:
                self.progress(min(self.done, self.total), self.total)


class Stopped(Exception):
    """Another download has failed: this one need not go on."""


class Source:
    """Downloads through jgo into ``folder``."""

    def __init__(self, folder: Path, meter: Meter) -> None:
        self.folder = folder
        self.meter = meter

    def get(self, artifact: Artifact, stop: threading.Event) -> Path:
        """A checked copy, under ``folder``. A broken or damaged transfer is tried again."""
        from requests import RequestException

        for attempt in range(1, ATTEMPTS + 1):
            counted = 0

            def count(length: int) -> None:
                nonlocal counted
                if stop.is_set():
                    raise Stopped
                counted += length
                self.meter.add(length)

            try:
                path = self.download(artifact, count)
                if path.stat().st_size == artifact.size and digest(path) == artifact.sha256:
                    self.meter.add(artifact.size - counted)
                    return path
                raise Damaged(artifact)
            except (RequestException, Damaged):
                self.meter.add(-counted)
                if attempt == ATTEMPTS or stop.wait(0.5 * attempt):
                    raise
        raise AssertionError("unreachable")

    def download(self, artifact: Artifact, count: Callable[[int], None]) -> Path:
        """One transfer by jgo, unchecked; ``count`` hears of every piece."""
        from jgo.maven import MavenContext, PythonResolver

        @contextmanager
        def pieces(_name: str, _size: int) -> Iterator[Callable[[int], None]]:
            yield count

        group, name, version, classifier, extension = artifact.parts
        folder = tempfile.mkdtemp(dir=self.folder)
        timeout: Any = TIMEOUT  # jgo hands it on to requests, which takes a pair
        context = MavenContext(PythonResolver(progress_callback=pieces), repo_cache=Path(folder), timeout=timeout)
        return context.project(group, name).at_version(version).artifact(classifier, extension).resolve()


class Damaged(Exception):
    """What arrived is not what the lock names."""

    def __init__(self, artifact: Artifact) -> None:
        super().__init__(artifact.coordinate)


def digest(path: Path) -> str:
    """A file's sha256, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def stamp(path: Path, artifact: Artifact) -> None:
    """Mark a file as checked (see ``Artifact.mtime``)."""
    path.chmod(0o644)
    os.utime(path, (artifact.mtime, artifact.mtime))


def amount(artifacts: Iterable[Artifact]) -> str:
    """``102.3 MB in 181 files``."""
    several = list(artifacts)
    return f"{sum(one.size for one in several) / 1e6:.1f} MB in {len(several)} file{'s' * (len(several) != 1)}"


def refusal(what: str, missing: Sequence[Artifact], why: str) -> ArtifactError:
    """The error for people: what, how much, why, and what to do."""
    return ArtifactError(
        f"{what}: {amount(missing)} still missing, and the download failed: {why}. "
        "With network: emrlab fetch. Without: emrlab fetch --from FILE, a bundle made elsewhere by "
        "emrlab fetch --bundle FILE"
    )


def reason(error: BaseException) -> str:
    """Why a download failed, in words."""
    from requests import ConnectionError, RequestException, Timeout

    text = " ".join(str(error).split())
    if isinstance(error, Damaged):
        return f"{text} arrived damaged {ATTEMPTS} times (its sha256 is not the locked one)"
    if isinstance(error, Timeout):
        return "the Maven repository does not answer in time"
    if isinstance(error, ConnectionError):
        return "the Maven repository cannot be reached (no network, or refused)"
    if isinstance(error, RequestException):
        return f"the Maven repository cannot be used ({type(error).__name__}: {text[:200]})"
    if isinstance(error, OSError):
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            return "the disk is full: free some space"
        return f"the cache cannot be written ({text})"
    return f"the Maven repository does not give it ({text.partition(' not found in remote')[0][:200]})"
