"""up, down, status, env: the region's life."""

from __future__ import annotations

import json
import os
import shlex
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import click

from ..errors import LabError
from ..home import home


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), help="The endpoint's port (default: a free one).")
def up(port: int | None) -> None:
    """Start the region: the AWS endpoint on this machine.

    Returns when it answers. A region that runs already is left alone.
    """
    from ..region import control
    from .console import working

    with working("Starting the region …") as say:
        region = control.up(port=port, progress=say)
    click.echo(f"The region answers at {region.endpoint}")
    click.echo('Use it in this shell: eval "$(emrlab env)"     Stop it: emrlab down')


@click.command()
def down() -> None:
    """Stop the region and everything it started.

    Running clusters end. Buckets and the clusters' history stay for the next `emrlab up`.
    """
    from ..region import control
    from .console import working

    with working("Stopping the region …") as say:
        stopped = control.down(progress=say)
    click.echo("The region is stopped; nothing keeps running." if stopped else "No region was running.")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--all", "every", is_flag=True, help="Ended clusters too.")
def status(as_json: bool, every: bool) -> None:
    """Show the region and its clusters.

    Exit code 1 when no region runs.
    """
    from ..region import control
    from . import aws

    region = control.status()
    if region is None:
        message = {"running": False, "home": str(home().root)}
        click.echo(json.dumps(message) if as_json else "No region is running. Start one: emrlab up")
        raise SystemExit(1)
    states = (*aws.ACTIVE, "TERMINATED", "TERMINATED_WITH_ERRORS") if every else aws.ACTIVE
    clusters = aws.clusters(region, states)
    if as_json:
        about = {"running": True, **plain(region), "clusters": clusters}
        click.echo(json.dumps(about, default=str, indent=2))
        return
    click.echo(f"Region {region.name} of account {region.account} at {region.endpoint} (pid {region.pid})")
    click.echo(f"Home   {home().root}")
    if not clusters:
        click.echo("No cluster is running.")
    for cluster in clusters:
        click.echo(f"{cluster['Id']}  {cluster['Status']['State']:<22}  {cluster['Name']}")


def plain(region: Any) -> dict[str, Any]:
    """A region's fields for JSON; paths as text, the home as its folder."""
    fields = asdict(region) if is_dataclass(region) and not isinstance(region, type) else dict(vars(region))
    fields["home"] = str(home().root)
    return {name: str(value) if isinstance(value, Path) else value for name, value in fields.items()}


@click.command()
@click.option("--shell", type=click.Choice(["sh", "fish"]), help="Default: fish in fish, else sh (bash, zsh …).")
@click.option("--unset", is_flag=True, help="Print what takes it back.")
def env(shell: str | None, unset: bool) -> None:
    """Print what makes a shell use the region.

    \b
    In bash, zsh …:  eval "$(emrlab env)"
    In fish:         emrlab env | source

    It starts nothing.
    """
    from ..region import control

    region = control.status()
    if region is None and not unset:
        raise LabError("No region is running. Start one: emrlab up")
    fish = (shell or Path(os.environ.get("SHELL", "sh")).name) == "fish"
    if unset:
        names = control.environment(region) if region else control.names()
        for name in names:
            click.echo(f"set -e {name};" if fish else f"unset {name};")
        return
    assert region is not None
    for name, value in control.environment(region).items():
        click.echo(f"set -gx {name} {shlex.quote(value)};" if fish else f"export {name}={shlex.quote(value)}")
