"""lab: JupyterLab on the labs, with everything it needs."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from ..errors import LabError
from ..home import home
from . import jupyter
from .console import working

FIRST = "1-clusters/1.1-first-cluster.ipynb"


@click.command()
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option("--no-browser", is_flag=True, help="Print the address instead of opening it.")
@click.option("--port", type=click.IntRange(1, 65535), help="JupyterLab's port (default: 8888 or the next free one).")
def lab(path: Path | None, no_browser: bool, port: int | None) -> None:
    """Open JupyterLab on the labs (PATH: another notebook or folder).

    Fetches Hadoop and Spark and starts the region first. Ctrl-C ends JupyterLab; `emrlab down` ends the rest.
    """
    from ..region import control
    from .fetch import BASE, fetch_applications

    root, opened = target(path)
    place = home()
    fetch_applications(BASE)  # first: the region makes class-data archives of what is there when it starts
    with working("Starting the region …") as say:
        region = control.up(progress=say)
    env = {**jupyter.environment(place), **control.environment(region)}
    jupyter.write_settings(place.root / "jupyter" / "settings")
    click.echo(f"The region answers at {region.endpoint}. JupyterLab starts now.")
    click.echo("To stop: Ctrl-C here ends JupyterLab; then `emrlab down` ends the region and its clusters.")
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, command(root, opened, no_browser, port), env)


def target(path: Path | None) -> tuple[Path, str]:
    """Jupyter's root folder, and what it opens there (a path relative to the root, "" for the root itself)."""
    labs = jupyter.labs()
    if path is None:
        return labs, FIRST if (labs / FIRST).exists() else ""
    wanted = path.expanduser().resolve()
    if not wanted.exists():
        raise LabError(f"There is no {path}. The labs are in {labs}; without a path, `emrlab lab` opens the first.")
    if wanted.is_relative_to(labs):
        inside = wanted.relative_to(labs).as_posix()
        return labs, "" if inside == "." else inside
    return (wanted, "") if wanted.is_dir() else (wanted.parent, wanted.name)


def command(root: Path, opened: str, no_browser: bool, port: int | None) -> list[str]:
    """JupyterLab's command line. Loopback only."""
    from urllib.parse import quote

    arguments = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.root_dir={root}",
        f"--LabApp.default_url=/lab/tree/{quote(opened)}" if opened else "--LabApp.default_url=/lab",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LanguageServerManager.autodetect=False",  # it would ask npm, which writes into the user's home
    ]
    if port:  # the one asked for, or an error: not silently the next
        arguments += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
    if no_browser:
        arguments.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:  # in a container there may be nobody else
        arguments.append("--allow-root")
    return arguments
