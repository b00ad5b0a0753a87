"""Hadoop's class path, and what is made of jars at installation. All of it lies in the cache, made once."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from ..errors import LabError
from ..home import cache
from ..nodes.artifacts import Artifact, Store, read_lock
from ..nodes.shim import EPOCH, LOCK, shim_jar

LOCKS = LOCK.parent
HADOOP, HDFS_WEB, S3 = LOCKS / "hadoop.lock", LOCKS / "hdfs-web.lock", LOCKS / "s3.lock"
SIGNATURE = re.compile(r"META-INF/(?:SIG-[^/]*|[^/]*\.(?:SF|RSA|DSA|EC))", re.IGNORECASE)
# Signed jars are left out by class-data sharing; a lab checks them by sha256 instead. Here are those we know of.
SIGNED = re.compile(r"bc(?:pkix|prov|util)-jdk18on-|janino-|commons-compiler-")


def hadoop_classpath(store: Store | None = None) -> list[Path]:
    """The jars of every Hadoop daemon, task and command, S3A and our own classes among them, in their order.

    Fetches what is missing. Folders (configuration, ``hdfs_web``) belong behind them: archives of class data want
    jars first. Raises ``ArtifactError``.
    """
    store = store or Store()
    artifacts = [*read_lock(HADOOP), *read_lock(S3)]
    fetched = store.fetch([*artifacts, *read_lock(LOCK)], "Hadoop")
    jars = [unsigned(fetched[artifact], artifact.mtime) for artifact in sorted(artifacts, key=place)]
    return [*jars, shim_jar(jars, store)]


def place(artifact: Artifact) -> tuple[bool, str]:
    """Where an artifact stands on the class path: Hadoop's first, the SDK behind."""
    return artifact.group.startswith("software.amazon"), artifact.filename


def hdfs_web(store: Store | None = None) -> Path:
    """The folder that holds ``webapps/``, HDFS's web pages, for the end of the daemons' class path.

    They are nowhere but in the jar of HDFS's tests.
    """
    (artifact,) = read_lock(HDFS_WEB)
    folder = cache() / f"hdfs-web-{artifact.version}-{artifact.sha256[:12]}"
    if folder.is_dir():
        return folder
    jar = (store or Store()).fetch([artifact], "HDFS's web pages")[artifact]

    def unpack(into: Path) -> None:
        with zipfile.ZipFile(jar) as archive:
            archive.extractall(into, [name for name in archive.namelist() if name.startswith("webapps/")])

    return made(folder, unpack)


def unsigned(jar: Path, mtime: int | None = None) -> Path:
    """``jar`` itself, or if it is one of the signed ones a copy without signatures, in the cache.

    The copy carries ``mtime`` (seconds; default: the jar's), so that it is the same whenever it is made.
    """
    if not SIGNED.match(jar.name):
        return jar
    found = jar.stat()
    mtime = int(found.st_mtime) if mtime is None else mtime
    key = hashlib.sha256(f"{jar.name} {found.st_size} {mtime}".encode()).hexdigest()[:12]
    copy = cache() / "unsigned" / key / jar.name
    if copy.is_file():
        return copy

    def strip(folder: Path) -> None:
        without_signatures(jar, folder / jar.name)
        os.utime(folder / jar.name, (mtime, mtime))

    return made(copy.parent, strip) / jar.name


def without_signatures(jar: Path, copy: Path) -> None:
    """Write ``copy``: the same entries without signatures, and without the digests in the manifest."""
    with zipfile.ZipFile(jar) as old, zipfile.ZipFile(copy, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            if SIGNATURE.fullmatch(entry.filename):
                continue
            content = old.read(entry)
            if entry.filename == "META-INF/MANIFEST.MF":
                content = re.split(rb"\r?\n\r?\n", content, maxsplit=1)[0] + b"\r\n\r\n"
            new.writestr(zipfile.ZipInfo(entry.filename, EPOCH), content, zipfile.ZIP_DEFLATED)


def made(folder: Path, build: Callable[[Path], None]) -> Path:
    """``folder``, built once: into another folder beside it, then renamed, so that it is whole or absent.

    A second process waits for the first. Raises ``LabError`` when the disk is full or not writable.
    """
    if folder.is_dir():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.parent / f".{folder.name}.lock"):
            if folder.is_dir():
                return folder
            for leftover in folder.parent.glob(f".{folder.name}-*/"):
                shutil.rmtree(leftover, ignore_errors=True)
            partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
            try:
                partial.chmod(0o755)
                build(partial)
                partial.rename(folder)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise LabError(f"{folder} cannot be made ({error}). Free some space, or: export EMRLAB_CACHE=…") from error
    return folder
