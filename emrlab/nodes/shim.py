"""Our few Java classes (package ``lab``), compiled where they run: no JDK needed, ecj runs on the lab's own Java."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from ..errors import LabError
from ..home import cache
from .artifacts import Store, read_lock
from .jre import java

SOURCES = Path(__file__).parent / "java"
LOCK = Path(__file__).resolve().parents[1] / "applications" / "locks" / "shim.lock"
# What the compiler needs, and every JVM that has OPTIONS.
EXPORTS = "java.base/sun.nio.ch=ALL-UNNAMED"
# Servers of this JVM listen on its node's address (-Dlab.ip=127.x.y.z) where they ask for all.
OPTIONS = (f"--add-exports={EXPORTS}", "-Djava.nio.channels.spi.SelectorProvider=lab.LoopbackSelectorProvider")
# The same bytes and time wherever it is made: class-data archives remember both.
EPOCH = (2000, 1, 1, 0, 0, 0)
EPOCH_SECONDS = 946_684_800


def shim_jar(classpath: Sequence[Path], store: Store | None = None) -> Path:
    """The jar of our classes, compiled against ``classpath`` (it must hold hadoop-common) unless it is in the cache.

    Raises ``ArtifactError`` when the compiler cannot be had, ``LabError`` when it fails.
    """
    sources = sorted(SOURCES.glob("*.java"))
    lock = read_lock(LOCK)
    key = hashlib.sha256("".join(artifact.sha256 for artifact in lock).encode())
    for source in sources:
        key.update(source.name.encode() + b"\0" + source.read_bytes())
    jar = cache() / f"shim-{key.hexdigest()[:16]}.jar"
    if not jar.is_file():
        store = store or Store()
        compiler = store.fetch(lock, "The compiler for the lab's Java classes")
        try:
            jar.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".shim-", dir=jar.parent) as folder:
                compile_java(sources, classpath, list(compiler.values()), Path(folder) / "classes")
                made = pack(Path(folder) / "classes", Path(folder) / jar.name)
                made.replace(jar)
        except OSError as error:
            raise LabError(f"{jar} cannot be made ({error}). Free some space, or: export EMRLAB_CACHE=…") from error
    return jar


def compile_java(sources: Sequence[Path], classpath: Sequence[Path], compiler: Sequence[Path], to: Path) -> None:
    """Compile ``sources`` into the folder ``to``. Raises ``LabError`` with what the compiler says."""
    to.mkdir()
    command: list[str | Path] = [
        *(java(), "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", "-Xmx256m"),
        *("-cp", os.pathsep.join(str(path) for path in compiler)),
        *("org.eclipse.jdt.internal.compiler.batch.Main", "-source", "17", "-target", "17", "-proc:none", "-nowarn"),
        *("--add-exports", EXPORTS, "-encoding", "UTF-8", "-d", to),
        *("-cp", os.pathsep.join(str(path) for path in classpath)),
        *sources,
    ]
    said = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if said.returncode:
        raise LabError(
            f"The lab's Java classes do not compile:\n{(said.stderr + said.stdout)[-2000:]}\n"
            "Is the cache whole? emrlab fetch; then try again."
        )


def pack(folder: Path, jar: Path) -> Path:
    """Make a jar of the classes in ``folder``, the same bytes each time."""
    with zipfile.ZipFile(jar, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo("META-INF/MANIFEST.MF", EPOCH), "Manifest-Version: 1.0\r\n\r\n")
        for path in sorted(folder.rglob("*.class")):
            archive.writestr(zipfile.ZipInfo(path.relative_to(folder).as_posix(), EPOCH), path.read_bytes())
    jar.chmod(0o644)
    os.utime(jar, (EPOCH_SECONDS, EPOCH_SECONDS))
    shutil.rmtree(folder)
    return jar
