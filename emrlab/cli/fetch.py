"""fetch: download what applications need, or carry it to a machine without network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import LabError
from .console import downloading, size, working

if TYPE_CHECKING:
    from ..nodes.artifacts import Artifact

BASE = ("Hadoop", "Spark")


@click.command()
@click.argument("applications", nargs=-1, metavar="[APPLICATION]…")
@click.option("--bundle", type=click.Path(path_type=Path), help="Write what was fetched into FILE, for other machines.")
@click.option(
    "--from", "source", type=click.Path(path_type=Path), help="Take everything from FILE, which --bundle wrote."
)
@click.option("--list", "listing", is_flag=True, help="Show the applications and their sizes.")
def fetch(applications: tuple[str, ...], bundle: Path | None, source: Path | None, listing: bool) -> None:
    """Download applications (default: Hadoop and Spark).

    What is here already is not downloaded again. In a classroom without network: `emrlab fetch --bundle FILE` on a
    connected machine, `emrlab fetch --from FILE` on the others.
    """
    if sum((bool(bundle), bool(source), listing)) > 1:
        raise click.UsageError("--bundle, --from and --list are three different things: choose one.")
    if listing:
        show_catalogue()
        return
    if source:
        take(source)
        if not applications:
            return
    names = applications or BASE
    fetch_applications(names)
    if bundle:
        give(bundle, names)


def artifacts_of(applications: Iterable[Any]) -> list[Artifact]:
    """What the locks of ``applications`` name, each once, with what they would fetch later."""
    from ..nodes.artifacts import read_lock

    locks = dict.fromkeys(lock for application in applications for lock in (*application.locks, *application.extras))
    return list(dict.fromkeys(artifact for lock in locks for artifact in read_lock(lock)))


def fetch_applications(names: Sequence[str]) -> None:
    """Download and prepare ``names`` and what they need, saying how much before and showing it meanwhile."""
    from ..applications import prepare, resolve
    from ..nodes.artifacts import Store

    applications = resolve(names)
    store = Store()
    title = ", ".join(f"{one.name} {one.version}" for one in applications)
    missing = store.missing(artifacts_of(applications))
    if missing:
        total = sum(artifact.size for artifact in missing)
        click.echo(f"{title}: {size(total)} in {len(missing)} files to download", err=True)
        with downloading("Downloading", total) as progress:
            store.fetch(missing, progress=progress)
    with working(f"Preparing {title} …"):
        prepare(names)
    click.echo(f"Ready: {title}", err=True)


def show_catalogue() -> None:
    """One line per application: version, size, whether it is here."""
    from ..applications import catalogue
    from ..nodes.artifacts import Store

    store = Store()
    for application in sorted(catalogue().values(), key=lambda one: one.name):
        artifacts = artifacts_of([application])
        missing = sum(artifact.size for artifact in store.missing(artifacts))
        total = size(sum(artifact.size for artifact in artifacts))
        here = f"{size(missing)} to download" if missing else "here"
        click.echo(f"{application.name:<16} {application.version:<12} {total:>8}   {here}")


def give(file: Path, names: Sequence[str]) -> None:
    """Write a bundle of ``names`` to ``file``."""
    from ..applications import resolve
    from ..nodes.artifacts import Store

    with working(f"Writing {file} …"):
        Store().export_bundle(file, artifacts_of(resolve(names)))
    click.echo(f"{file}: {size(file.stat().st_size)}. On the other machine: emrlab fetch --from {file.name}")


def take(file: Path) -> None:
    """Put what a bundle holds into this machine's cache."""
    from ..nodes.artifacts import Store

    if not file.is_file():
        raise LabError(f"There is no file {file}. Make one on a connected machine: emrlab fetch --bundle {file.name}")
    with working(f"Reading {file} …"):
        Store().import_bundle(file)
    click.echo(f"What {file} holds is here now.")
