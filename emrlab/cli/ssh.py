"""ssh: a shell with the master node's environment, and what an SSH client must know of the nodes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from ..errors import LabError
from ..home import home

# For ~/.ssh/config. Nodes are 127.64.0.0 to 127.127.255.255; later ones take the addresses of earlier ones, with host
# keys of their own, so that none is worth remembering.
CONFIG = """\
Host 127.6?.* 127.7?.* 127.8?.* 127.9?.* 127.10?.* 127.11?.* 127.12?.*
    # emrlab's nodes
    Port {port}
    User {user}
    StrictHostKeyChecking accept-new
    UserKnownHostsFile /dev/null
    LogLevel ERROR
"""


def node_folder(cluster_id: str, *names: str | None) -> Path:
    """The folder of one instance of a cluster; ``names``: the ids it may go by. ``LabError`` when it is gone."""
    for name in names:
        folder = home().clusters / cluster_id / name if name else None
        if folder and folder.is_dir():
            return folder
    raise LabError(f"Cluster {cluster_id} has no such node on this machine any more. List clusters: emrlab status")


def login(node: Path) -> dict[str, str]:
    """The environment that a login on ``node`` has: this process's, and the node's ``etc/environment`` over it."""
    from ..nodes.login import environment

    try:
        return {**os.environ, **environment(node)}
    except OSError as error:
        raise LabError("The node is not set up yet: try again when the cluster is WAITING or RUNNING.") from error


def configuration() -> str:
    """What makes ``ssh``, ``scp`` and the AWS CLI's ``aws emr ssh`` find the nodes' port."""
    from ..nodes.login import USER
    from ..nodes.ssh_gate import PORTS

    return CONFIG.format(port=PORTS[-1], user=USER)


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("cluster_id", required=False)
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.option("--config", is_flag=True, help="Print what ~/.ssh/config needs for a real SSH client.")
def ssh(cluster_id: str | None, command: tuple[str, ...], config: bool) -> None:
    """Open a shell as on a cluster's master node.

    With COMMAND, run that there instead: emrlab ssh j-XXXX hdfs dfs -ls /

    It needs no key pair. A cluster that was launched with one also lets real SSH clients in: aws emr ssh, put, get and
    socks, ssh, scp. For those, once: emrlab ssh --config >> ~/.ssh/config
    """
    from . import aws

    if config:
        click.echo(configuration(), nl=False)
        return
    if cluster_id is None:
        raise click.UsageError("Name a cluster: emrlab ssh j-XXXX. List them: emrlab status")

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
