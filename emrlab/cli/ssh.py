"""ssh: a shell with the master node's environment."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from ..errors import LabError
from ..home import home


def node_folder(cluster_id: str, *names: str | None) -> Path:
    """The folder of one instance of a cluster; ``names``: the ids it may go by. ``LabError`` when it is gone."""
    for name in names:
        folder = home().clusters / cluster_id / name if name else None
        if folder and folder.is_dir():
            return folder
    raise LabError(f"Cluster {cluster_id} has no such node on this machine any more. List clusters: emrlab status")


def login(node: Path) -> dict[str, str]:
    """The environment that a login on ``node`` has: this process's, and the node's ``etc/environment`` over it."""
    file = node / "etc" / "environment"
    try:
        lines = file.read_text().splitlines()
    except OSError as error:
        raise LabError("The node is not set up yet: try again when the cluster is WAITING or RUNNING.") from error
    pairs = (line.split("=", 1) for line in lines if "=" in line and not line.lstrip().startswith("#"))
    return {**os.environ, **{name.strip(): value for name, value in pairs}}


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("cluster_id")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def ssh(cluster_id: str, command: tuple[str, ...]) -> None:
    """Open a shell as on a cluster's master node.

    With COMMAND, run that there instead: emrlab ssh j-XXXX hdfs dfs -ls /
    """
    from . import aws

    emr = aws.client("emr", aws.running())
    cluster = aws.describe(emr, cluster_id)
    instance = aws.master(emr, cluster)
    node = node_folder(cluster_id, instance.get("Ec2InstanceId"), instance.get("Id"))
    env = login(node)
    folder = node / "home" / "hadoop"
    os.chdir(folder if folder.is_dir() else node)
    shell = os.environ.get("SHELL") or "bash"
    if command:  # as ssh does: the words are one command line for a shell there
        arguments = ["bash", "-c", " ".join(command)]
    else:
        host = str(instance.get("PrivateDnsName", "master")).partition(".")[0]
        env["PS1"] = f"[hadoop@{host} \\W]$ "
        # No start-up files of the laptop's user: they would put another PATH and prompt in place.
        arguments = [shell, "--norc"] if Path(shell).name == "bash" else [shell]
        click.echo(f"{cluster['Name']} ({cluster_id}), master node {host}. Leave it with exit.", err=True)
    sys.stdout.flush()
    try:
        os.execvpe(arguments[0], arguments, env)
    except OSError as error:
        raise LabError(f"{arguments[0]} could not be started ({error}). Name another shell: SHELL=/bin/bash") from error
