"""The command line: ``emrlab up``, ``emrlab lab`` … A command's module is imported when it is asked for."""

from __future__ import annotations

import click

from .group import LazyGroup


@click.group(
    cls=LazyGroup,
    commands_at={
        "lab": "emrlab.cli.lab:lab",
        "up": "emrlab.cli.region:up",
        "down": "emrlab.cli.region:down",
        "status": "emrlab.cli.region:status",
        "env": "emrlab.cli.region:env",
        "ssh": "emrlab.cli.ssh:ssh",
        "logs": "emrlab.cli.logs:logs",
        "cost": "emrlab.cli.cost:cost",
        "clock": "emrlab.cli.clock:clock",
        "solve": "emrlab.cli.solve:solve",
        "fetch": "emrlab.cli.fetch:fetch",
        "doctor": "emrlab.cli.doctor:doctor",
        "reset": "emrlab.cli.reset:reset",
    },
    help_of={
        "lab": "Open JupyterLab on the labs.",
        "up": "Start the region: the AWS endpoint on this machine.",
        "down": "Stop the region and everything it started.",
        "status": "Show the region and its clusters.",
        "env": 'Print what makes a shell use the region: eval "$(emrlab env)".',
        "ssh": "Open a shell as on a cluster's master node.",
        "logs": "Show what a cluster, a step or a daemon wrote.",
        "cost": "Show what a cluster and its steps would cost on AWS.",
        "clock": "Show or set how fast EMR's slow intervals pass.",
        "solve": "Run a lab with its reference solutions.",
        "fetch": "Download applications, or carry them to a machine without network.",
        "doctor": "Check this machine, and say what to do.",
        "reset": "Delete the region's state and its clusters.",
    },
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="emrlab", message="%(prog)s %(version)s")
def main() -> None:
    """Amazon EMR on your laptop, for learning.

    Start with `emrlab lab`. In a shell: `emrlab up`, then `eval "$(emrlab env)"`, then `aws emr …` as on AWS.
    """
