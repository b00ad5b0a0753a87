"""reset: back to an empty home."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import click

from ..errors import LabError
from ..home import Home, home
from .console import size, working


@click.command()
@click.option("--all", "everything", is_flag=True, help="Also what you have solved, and Jupyter's settings.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset(everything: bool, yes: bool) -> None:
    """Delete the region's state and its clusters.

    Downloads stay (they are in the cache). Lists what is lost and asks first.
    """
    from ..region import control

    place = home()
    guard(place)
    doomed = [folder for folder in folders(place, everything) if folder.exists()]
    region = control.status()
    if not doomed and region is None:
        click.echo(f"Nothing to delete in {place.root}.")
        return
    click.echo("This is lost for good:")
    for line in losses(place, doomed, running=region is not None):
        click.echo(f"  - {line}")
    if not yes:
        if not sys.stdin.isatty():
            raise LabError("Nothing was deleted: nobody is here to ask. If you mean it: emrlab reset --yes")
        click.confirm("Delete it?", abort=True)
    with working("Stopping the region …") as say:
        control.down(progress=say)
    with working("Deleting …"):
        for folder in doomed:
            remove(folder)
    click.echo("Done. A fresh region: emrlab up")


def guard(place: Home) -> None:
    """Refuse a home that is surely not emrlab's own."""
    if place.root in {Path("/"), Path.home().resolve()}:
        raise LabError(f"EMRLAB_HOME is {place.root}, which holds other things too. Name a folder of its own.")


def folders(place: Home, everything: bool) -> list[Path]:
    """What a reset deletes."""
    more = [place.progress, place.root / "jupyter"] if everything else []
    return [place.region, place.clusters, place.root / "workstation", *more]


def losses(place: Home, doomed: list[Path], running: bool) -> list[str]:
    """One line per thing that is lost, for the person who decides."""
    meaning = {
        place.region: "buckets with their objects, and the history of clusters and steps",
        place.clusters: "the clusters' nodes: HDFS, logs",
        place.root / "workstation": "tables of Spark without a cluster",
        place.progress: "what you have solved",
        place.root / "jupyter": "Jupyter's settings and open tabs",
    }
    lines = ["the running region and its clusters end"] if running else []
    for folder in doomed:
        text = f"{meaning[folder]} ({folder}, {size(used(folder))})"
        if folder == place.clusters:
            names = sorted(entry.name for entry in folder.iterdir() if entry.is_dir())
            text += f": {', '.join(names)}" if names else ""
        lines.append(text)
    return lines


def used(folder: Path) -> int:
    """Bytes in a folder; files that vanish meanwhile do not count."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.lstat().st_size if not path.is_dir() else 0
        except OSError:
            continue
    return total


def remove(folder: Path) -> None:
    """Delete a folder, or say which file stands in the way."""
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise LabError(
            f"{error.filename or folder} cannot be deleted ({error.strerror}). Delete it by hand."
        ) from error
