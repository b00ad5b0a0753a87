"""cost: what a cluster and its steps would cost on AWS."""

from __future__ import annotations

import json
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import urlopen

import click

from ..errors import LabError


@click.command()
@click.argument("cluster_id")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def cost(cluster_id: str, as_json: bool) -> None:
    """Show what a cluster would cost on AWS until now.

    By instance (EC2, EMR's charge, EBS) and by step: a step's part is what the cluster cost while it ran, shared with
    the steps beside it.
    """
    from . import aws

    found = asked(aws.running().endpoint, cluster_id)
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    click.echo(f"{found['Name']} ({found['ClusterId']}), {found['State']}, in {found['AvailabilityZone']}")
    click.echo(f"{'':<24}{'EC2':>10}{'EMR':>10}{'EBS':>10}{'all':>10}  USD")
    for one in found["Instances"]:
        spot = " spot" if one["Market"] == "SPOT" else ""
        click.echo(row(f"{one['InstanceType']}{spot}", one["Cost"]) + f"  {lasted(one['Seconds'])}")
    click.echo(row("cluster", found["Cost"]))
    for step in found["Steps"]:
        click.echo(row(f"step {step['Name']}"[:24], step["Cost"]) + f"  {lasted(step['Seconds'])}")
    if found["Unpriced"]:
        click.echo(f"Without {', '.join(found['Unpriced'])}: AWS's list has no price for that.")
    click.echo(f"Prices: {found['Prices']}.")


def asked(endpoint: str, cluster_id: str) -> dict[str, Any]:
    """The region's document about a cluster's costs. Raises ``LabError``."""
    from ..region.control import COSTS

    try:
        with urlopen(f"{endpoint}{COSTS}{quote(cluster_id, safe='')}", timeout=30) as reply:
            found: dict[str, Any] = json.load(reply)
            return found
    except HTTPError as error:
        if error.code == 404:
            raise LabError(f"There is no cluster {cluster_id}. List them: emrlab status --all") from error
        raise LabError(f"The region does not tell ({error}). Look at it: emrlab doctor") from error
    except (URLError, HTTPException, OSError, ValueError) as error:
        raise LabError(f"The region does not answer ({error}). Look at it: emrlab doctor") from error


def row(name: str, cost: dict[str, float]) -> str:
    return f"{name:<24}" + "".join(f"{cost[part]:>10.4f}" for part in ("Ec2", "Emr", "Ebs", "Total"))


def lasted(seconds: float) -> str:
    """``3671`` → ``1:01:11``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
