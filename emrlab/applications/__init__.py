"""EMR's applications, one file each. ``catalogue`` lists them; ``resolve`` adds what they stand on."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence

from ..errors import LabError
from ..nodes.archives import Archive
from ..nodes.artifacts import Artifact, Store, read_lock
from .application import Application, Say

ALWAYS = ("Hadoop",)


@functools.cache
def catalogue() -> dict[str, Application]:
    """Every application emrlab runs, by its EMR name."""
    from .hadoop import Hadoop
    from .spark import Spark

    return {one.name: one for one in (Hadoop(), Spark())}


def resolve(names: Iterable[str]) -> list[Application]:
    """The applications of these names (in any case) and those they need, in the order they are installed.

    Raises ``LabError`` for a name that is not in the catalogue.
    """
    known = {name.lower(): one for name, one in catalogue().items()}
    found: dict[str, Application] = {}

    def add(name: str) -> None:
        one = known.get(name.lower())
        if one is None:
            raise LabError(f"There is no application {name!r}. There are: {', '.join(sorted(catalogue()))}.")
        for need in one.needs:
            add(need)
        found.setdefault(one.name, one)

    for name in (*ALWAYS, *names):
        add(name)
    return list(found.values())


def prepare(names: Iterable[str], progress: Say | None = None) -> None:
    """Fetch and make what the applications need, class-data archives excepted. Raises ``LabError``."""
    for one in resolve(names):
        if progress:
            progress(f"Preparing {one.name} {one.version} …")
        one.prepare(progress)


def missing(names: Iterable[str]) -> list[Artifact]:
    """What the applications' locks name and this machine does not have, each once."""
    locks = dict.fromkeys(lock for one in resolve(names) for lock in one.locks)
    return Store().missing(artifact for lock in locks for artifact in read_lock(lock))


def archives(names: Sequence[str] = ("Hadoop", "Spark")) -> list[Archive]:
    """Class-data archives of these applications and those they need."""
    return [archive for one in resolve(names) for archive in one.archives()]


__all__ = ["Application", "archives", "catalogue", "missing", "prepare", "resolve"]
