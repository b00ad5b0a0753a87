"""``python -m emrlab.cli.image``: put into Binder's image what `emrlab lab` would fetch and build."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ..errors import LabError
from . import jupyter
from .console import working


def build() -> None:
    """Downloads, class-data archives (waiting for each), and JupyterLab's settings for this Python."""
    from ..applications import archives
    from .fetch import BASE, fetch_applications

    fetch_applications(BASE)
    for archive in archives():
        with working(f"Class-data archive {archive.name} …"):
            archive.build()
    jupyter.write_settings(Path(sys.prefix) / "etc" / "jupyter")


if __name__ == "__main__":
    try:
        build()
    except LabError as error:
        click.secho(str(error), fg="red", err=True)
        raise SystemExit(1) from error
