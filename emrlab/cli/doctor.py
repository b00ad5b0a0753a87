"""doctor: check this machine, and say what to do."""

from __future__ import annotations

import json

import click

from . import checks

COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def doctor(as_json: bool) -> None:
    """Check this machine, and say what to do.

    Exit code 1 when something fails.
    """
    found = []
    for check in checks.ALL:
        finding = checks.run(check)
        found.append(finding)
        if not as_json:
            show(finding)
    if as_json:
        click.echo(json.dumps([vars(finding) for finding in found], indent=2))
    if any(finding.level == "fail" for finding in found):
        raise SystemExit(1)


def show(finding: checks.Finding) -> None:
    """One line; what to do below it."""
    click.secho(f"{finding.level:<5}", fg=COLOURS[finding.level], nl=False)
    click.echo(f" {finding.name}: {finding.text}")
    if finding.todo:
        click.echo(f"      → {finding.todo}")
