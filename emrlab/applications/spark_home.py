"""A SPARK_HOME made of pip's pyspark and the Hadoop client this release runs, shared by all homes and checkouts."""

from __future__ import annotations

import compileall
import hashlib
import marshal
import os
import re
import shutil
import struct
import tempfile
import zipfile
from collections.abc import Iterable
from importlib.util import MAGIC_NUMBER, find_spec, source_hash
from pathlib import Path

from ..errors import LabError
from ..home import cache
from ..nodes.artifacts import Store, read_lock
from ..nodes.shim import EPOCH
from ..nodes.shim import LOCK as SHIM
from .classpath import HADOOP, LOCKS, S3, hadoop_classpath, made, unsigned

SPARK, SHUFFLE = LOCKS / "spark.lock", LOCKS / "spark-shuffle.lock"
LAYOUT = "3"  # count up when what this module makes changes
FOLDERS = ("bin", "sbin", "data", "examples", "licenses")
# pyspark's jars of another Hadoop, and a reporter that fits it alone.
REPLACED = re.compile(r"hadoop-|dropwizard-metrics-hadoop")
# What Spark's Hadoop client needs besides spark.lock, from Hadoop's own.
SHARED = re.compile(r"hadoop-(?:shaded-guava|yarn-server-web-proxy)-")
# What YARN's NodeManager loads for Spark's shuffle service, besides spark-shuffle.lock: as in the jar that Spark's
# own build makes for it (spark-<version>-yarn-shuffle.jar).
SHUFFLE_JARS = re.compile(
    r"spark-(?:network-(?:common|shuffle)|common-utils)_|netty-(?:buffer|codec|common|handler|resolver|transport)-"
    r"|netty-transport-(?:classes-epoll|native-unix-common|native-epoll-.*linux)|jackson-(?:core|databind|annotations)-2"
    r"|metrics-core-|leveldbjni-|rocksdbjni-|scala-library-|commons-lang3-|commons-crypto-|RoaringBitmap-|shims-"
)


def pyspark() -> Path:
    """The folder of the installed pyspark; it is not imported for that."""
    spec = find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise LabError("pyspark is not installed. Run: make setup")
    return Path(spec.origin).parent


def spark_version(folder: Path | None = None) -> str:
    """``3.5.9``, as pip's pyspark says."""
    found = re.search(r'__version__[^=]*= *["\']([^"\']+)', ((folder or pyspark()) / "version.py").read_text())
    if not found:
        raise LabError("The installed pyspark does not say its version. Run: make setup")
    return found[1]


def spark_home(store: Store | None = None, source: Path | None = None) -> Path:
    """The SPARK_HOME, made on first use: pyspark's files (hard links where they can be) with Hadoop's client swapped.

    Whole in itself, Python package included: it outlives the environment it was made from. ``source`` is the pyspark
    folder. Raises ``ArtifactError`` when its jars cannot be had.
    """
    source = source or pyspark()
    version = spark_version(source)
    locks = [artifact.sha256 for lock in (SPARK, S3, HADOOP, SHIM) for artifact in read_lock(lock)]
    store = store or Store()
    own = hadoop_classpath(store)[-1]
    key = hashlib.sha256(" ".join([LAYOUT, version, own.name, *locks]).encode()).hexdigest()[:12]
    home = cache() / f"spark-{version}-{key}"
    return home if home.is_dir() else made(home, lambda folder: build(folder, source, store, version))


def spark_jars(home: Path) -> list[Path]:
    """The jars of a SPARK_HOME in the order of its class path."""
    return sorted((home / "jars").glob("*.jar"))


def spark_shuffle_classpath(home: Path, store: Store | None = None) -> list[Path]:
    """For ``yarn.nodemanager.aux-services.spark_shuffle.classpath``: the external shuffle service's jars."""
    fetched = (store or Store()).fetch(read_lock(SHUFFLE), "Spark's shuffle service")
    return [*fetched.values(), *(jar for jar in spark_jars(home) if SHUFFLE_JARS.match(jar.name))]


def build(home: Path, source: Path, store: Store, version: str) -> None:
    """Fill ``home``."""
    for name in FOLDERS:
        link_tree(source / name, home / name)
    # As in Spark's own distribution python/ holds the package; pip's keeps it one level up.
    link_tree(source / "python", home / "python")
    link_tree(source, home / "python" / "pyspark", leave_out={*FOLDERS, "python", "jars"})
    compileall.compile_dir(home / "python", quiet=2)
    for archive in (home / "python" / "lib").glob("*.zip"):
        compiled(archive)
    shared = [artifact for artifact in read_lock(HADOOP) if SHARED.match(artifact.filename)]
    fetched = store.fetch([*read_lock(SPARK), *read_lock(S3), *shared], "Spark")
    jars = [unsigned(jar) for jar in (source / "jars").glob("*.jar") if not REPLACED.match(jar.name)]
    link_files([*jars, *fetched.values(), hadoop_classpath(store)[-1]], home / "jars")
    (home / "conf").mkdir()
    (home / "RELEASE").write_text(f"Spark {version}, Hadoop client {client_version()}\n")


def compiled(archive: Path) -> None:
    """Add bytecode to a zip of Python sources: every driver and every worker would compile them anew.

    Another Python than this one reads the sources beside. A new file: the old one may be a link.
    """
    with tempfile.TemporaryDirectory(dir=archive.parent) as folder:
        new = Path(folder) / archive.name
        with zipfile.ZipFile(archive) as old, zipfile.ZipFile(new, "w") as to:
            for entry in old.infolist():
                content = old.read(entry)
                to.writestr(zipfile.ZipInfo(entry.filename, EPOCH), content)
                if entry.filename.endswith(".py"):
                    code = bytecode(content, entry.filename)
                    if code:
                        to.writestr(zipfile.ZipInfo(f"{entry.filename}c", EPOCH), code)
        new.chmod(0o644)
        new.replace(archive)


def bytecode(source: bytes, name: str) -> bytes:
    """What a ``.pyc`` holds, valid whatever the source's time; empty for what this Python cannot compile."""
    try:
        code = compile(source, name, "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return b""
    unchecked = 0b01  # PEP 552: named by a hash, which nobody compares
    return MAGIC_NUMBER + struct.pack("<I", unchecked) + source_hash(source) + marshal.dumps(code)


def client_version() -> str:
    """The version of Hadoop's client in ``spark.lock``."""
    return next(artifact.version for artifact in read_lock(SPARK) if artifact.name == "hadoop-client-api")


def link_tree(source: Path, target: Path, leave_out: Iterable[str] = ()) -> None:
    """The same files, as hard links (copies where those cannot be), without compiled Python."""
    if not source.is_dir():
        return
    for folder, folders, files in os.walk(source):
        here = Path(folder)
        apart = {*leave_out} if here == source else set()
        folders[:] = [name for name in folders if name not in {"__pycache__", *apart}]
        link_files([here / name for name in files], target / here.relative_to(source))


def link_files(files: Iterable[Path], folder: Path) -> None:
    """Hard links of ``files`` in ``folder``; copies, times kept, where the file system refuses."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        link = folder / file.name
        try:
            os.link(file.resolve(), link)
        except FileExistsError:
            continue
        except OSError:
            shutil.copy2(file, link)
