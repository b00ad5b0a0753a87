"""Bundles: a store's artifacts in one uncompressed tar, for machines without network.

Its first member, ``MANIFEST``, lists coordinate, sha256 and size of each; the others are the files.
"""

from __future__ import annotations

import json
import os
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from .artifacts import Artifact, ArtifactError, Store, amount, reason

MANIFEST = "emrlab-bundle.json"


@dataclass(frozen=True)
class Imported:
    """What a bundle brought: ``added`` now, ``present`` before, and of what was asked for still ``missing``."""

    added: tuple[Artifact, ...]
    present: tuple[Artifact, ...]
    missing: tuple[Artifact, ...] = ()


def write(store: Store, file: Path, artifacts: Iterable[Artifact]) -> None:
    """See ``Store.export_bundle``."""
    wanted = list(dict.fromkeys(artifacts))
    if missing := store.missing(wanted):
        raise ArtifactError(f"{amount(missing)} of the bundle are not here yet. First: emrlab fetch")
    manifest = json.dumps([[one.coordinate, one.sha256, one.size] for one in wanted]).encode()
    with replacing(file) as partial, tarfile.open(partial, "w", format=tarfile.PAX_FORMAT) as bundle:
        head = tarfile.TarInfo(MANIFEST)
        head.size = len(manifest)
        bundle.addfile(head, BytesIO(manifest))
        for artifact in wanted:
            member = tarfile.TarInfo(artifact.relative)
            member.size, member.mtime, member.mode = artifact.size, artifact.mtime, 0o644
            with store.path(artifact).open("rb") as content:
                bundle.addfile(member, content)


def take(store: Store, file: Path, artifacts: Iterable[Artifact]) -> Imported:
    """See ``Store.import_bundle``."""
    added: list[Artifact] = []
    present: list[Artifact] = []
    try:
        with tarfile.open(file, "r:") as bundle, store.locked(f"The bundle {file.name}", ()):
            expected = {artifact.relative: artifact for artifact in manifest_of(bundle)}
            for member in bundle:
                artifact = expected.get(member.name)
                if artifact is None or not member.isfile():
                    continue
                if store.here(artifact):
                    present.append(artifact)
                    del expected[member.name]
                    continue
                content = bundle.extractfile(member)
                assert content is not None
                if store.take(artifact, content):
                    added.append(artifact)
                    del expected[member.name]
            damaged = list(expected.values())
    except (tarfile.TarError, EOFError, ValueError, KeyError, TypeError, ArtifactError) as error:
        raise ArtifactError(
            f"{file} is no whole bundle ({error}); {len(added)} files could be taken from it. "
            "Copy it again, or make another: emrlab fetch --bundle FILE"
        ) from error
    except OSError as error:
        message = f"{file} cannot be taken over: {reason(error)}. Then again: emrlab fetch --from FILE"
        raise ArtifactError(message) from error
    if damaged:
        raise ArtifactError(
            f"{len(damaged)} of the files {file} lists are damaged or absent (first: {damaged[0].coordinate}); "
            f"{len(added)} were taken over. Copy it again, or make another: emrlab fetch --bundle FILE"
        )
    return Imported(tuple(added), tuple(present), tuple(store.missing(artifacts)))


def manifest_of(bundle: tarfile.TarFile) -> list[Artifact]:
    """The artifacts that a bundle says it holds."""
    first = bundle.next()
    content = bundle.extractfile(first) if first is not None and first.name == MANIFEST and first.isfile() else None
    if content is None:
        raise ValueError("its list is not there")
    return [Artifact(coordinate, sha256, size) for coordinate, sha256, size in json.load(content)]


@contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """A path beside ``file`` that becomes ``file`` when all went well, and is removed otherwise."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{file.name}-", dir=file.parent)
        os.close(handle)
    except OSError as error:
        raise ArtifactError(f"{file} cannot be written: {error}. Name another file.") from error
    partial = Path(name)
    try:
        yield partial
        partial.chmod(0o644)
        partial.replace(file)
    except OSError as error:
        raise ArtifactError(f"{file} cannot be written: {reason(error)}. Or name another file.") from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
