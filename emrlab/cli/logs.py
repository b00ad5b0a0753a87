"""logs: what a cluster, a step or a daemon wrote; on its node while that exists, then in the cluster's ``LogUri``."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from ..errors import LabError
from ..home import home
from . import aws
from .console import size

FILES = ("controller", "syslog", "stderr", "stdout")
ENDED = ("COMPLETED", "FAILED", "CANCELLED", "INTERRUPTED")
LOGS = Path("var", "log")
STEPS = LOGS / "hadoop" / "steps"
POLL = 0.3


@click.command()
@click.argument("cluster_id")
@click.argument("step_id", required=False)
@click.option("--file", type=click.Choice(FILES), help="One of a step's files (default: all that say something).")
@click.option("--follow", is_flag=True, help="Go on until the step or the daemon's node ends.")
@click.option("--node", help="A node: its instance id, its private DNS name, or master.")
@click.option("--daemon", help="A daemon: namenode, datanode, resourcemanager, nodemanager …")
def logs(
    cluster_id: str, step_id: str | None, file: str | None, follow: bool, node: str | None, daemon: str | None
) -> None:
    """Show what a cluster, a step or a daemon wrote.

    With CLUSTER_ID alone: its steps, its nodes and their logs.
    """
    if step_id and (node or daemon):
        raise click.UsageError("A step has --file; --node and --daemon are for daemons.")
    if file and not step_id:
        raise click.UsageError("--file belongs to a step: name its STEP_ID too.")
    region = aws.running()
    emr = aws.client("emr", region)
    cluster = aws.describe(emr, cluster_id)
    if step_id:
        show_step(emr, aws.client("s3", region), cluster, step_id, file, follow)
    elif node or daemon:
        show_daemon(emr, cluster, node, daemon, follow)
    else:
        overview(emr, cluster)


def overview(emr: Any, cluster: dict[str, Any]) -> None:
    """The cluster's state, its steps, its nodes' log files."""
    status = cluster["Status"]
    reason = status.get("StateChangeReason", {}).get("Message", "")
    click.echo(f"{cluster['Id']}  {status['State']}  {cluster['Name']}" + (f": {reason}" if reason else ""))
    click.echo(f"Logs in S3: {cluster.get('LogUri') or 'none (the cluster has no LogUri)'}")
    with aws.explained():
        pages = emr.get_paginator("list_steps").paginate(ClusterId=cluster["Id"])
        steps = [step for page in pages for step in page["Steps"]]
    for step in steps:
        click.echo(f"{step['Id']}  {step['Status']['State']:<12} {step['Name']}")
    for instance in instances(emr, cluster["Id"]):
        folder = folder_of(cluster["Id"], instance)
        if folder is None:
            continue
        click.echo(f"\n{instance.get('Ec2InstanceId') or instance['Id']}  {instance.get('PrivateDnsName', '')}")
        for path in log_files(folder):
            click.echo(f"  {size(path.stat().st_size):>8}  {path}")
    if steps:
        click.echo(f"\nA step's logs: emrlab logs {cluster['Id']} {steps[0]['Id']}")


def show_step(emr: Any, s3: Any, cluster: dict[str, Any], step_id: str, file: str | None, follow: bool) -> None:
    """A step's files, from the master node or from S3."""
    from botocore.exceptions import ClientError

    def state() -> str:
        with aws.explained():
            return str(emr.describe_step(ClusterId=cluster["Id"], StepId=step_id)["Step"]["Status"]["State"])

    try:
        emr.describe_step(ClusterId=cluster["Id"], StepId=step_id)
    except ClientError as error:
        raise LabError(f"{cluster['Id']} has no step {step_id}. List them: emrlab logs {cluster['Id']}") from error
    if follow:
        # Spark tells its progress in stderr, Hadoop in syslog.
        talk = (file,) if file else ("stderr", "syslog")
        follow_files([partial(step_file, cluster["Id"], step_id, name) for name in talk], lambda: state() in ENDED)
        return
    names = (file,) if file else FILES
    found = [(name, path.read_bytes()) for name in names if (path := step_file(cluster["Id"], step_id, name))]
    if not found and cluster.get("LogUri"):
        found = from_s3(s3, cluster["LogUri"], cluster["Id"], step_id, names)
    if not found:
        now = state()
        hint = "it waits for its turn" if now == "PENDING" else "it wrote nothing, or its node and LogUri are gone"
        raise LabError(f"There are no logs of step {step_id}: it is {now}, {hint}. See: emrlab logs {cluster['Id']}")
    show(found if file else [(name, text) for name, text in found if text] or found)


def show_daemon(emr: Any, cluster: dict[str, Any], node: str | None, daemon: str | None, follow: bool) -> None:
    """A daemon's log files on one node or on all."""
    wanted = (daemon or "").lower()
    found: list[Path] = []
    known = instances(emr, cluster["Id"])
    if node == "master":
        node = str(aws.master(emr, cluster)["Id"])
    for instance in known:
        names = {instance.get(key) for key in ("Id", "Ec2InstanceId", "PrivateDnsName", "PrivateIpAddress")}
        folder = folder_of(cluster["Id"], instance)
        if folder and (node is None or node in names):
            found += [path for path in log_files(folder) if wanted in path.name.lower()]
    if not found:
        what = f"a log of {daemon}" if daemon else "a log"
        raise LabError(
            f"{cluster['Id']} has no {what.removeprefix('a ')} on {node or 'its nodes'}. "
            f"See what there is: emrlab logs {cluster['Id']}"
        )
    if not follow:
        show((str(path), path.read_bytes()) for path in found)
    elif len(found) > 1:
        listed = "\n".join(f"  {path}" for path in found)
        raise LabError(f"--follow needs one file; these fit:\n{listed}\nSay more with --node and --daemon.")
    else:
        follow_files([lambda: found[0] if found[0].exists() else None], lambda: not found[0].exists())


def instances(emr: Any, cluster_id: str) -> list[dict[str, Any]]:
    """All instances the cluster ever had."""
    with aws.explained():
        pages = emr.get_paginator("list_instances").paginate(ClusterId=cluster_id)
        return [instance for page in pages for instance in page["Instances"]]


def folder_of(cluster_id: str, instance: dict[str, Any]) -> Path | None:
    """The instance's folder, while it is on this machine."""
    names = (instance.get("Ec2InstanceId"), instance.get("Id"))
    folders = (home().clusters / cluster_id / name for name in names if name)
    return next((folder for folder in folders if folder.is_dir()), None)


def log_files(folder: Path) -> list[Path]:
    """A node's log files, the steps' among them."""
    return sorted(path for path in (folder / LOGS).rglob("*") if path.is_file())


def step_file(cluster_id: str, step_id: str, name: str) -> Path | None:
    """A step's file on whichever node ran it."""
    paths = (home().clusters / cluster_id).glob(f"*/{STEPS.as_posix()}/{step_id}/{name}")
    return next(paths, None)


def from_s3(s3: Any, uri: str, cluster_id: str, step_id: str, names: Iterable[str]) -> list[tuple[str, bytes]]:
    """A step's files as EMR archives them: ``<LogUri>/<cluster>/steps/<step>/<file>.gz``."""
    from botocore.exceptions import ClientError

    where = urlsplit(uri)
    prefix = "/".join(part for part in (where.path.strip("/"), cluster_id, "steps", step_id) if part)
    found = []
    for name in names:
        try:
            with aws.explained():
                body = s3.get_object(Bucket=where.netloc, Key=f"{prefix}/{name}.gz")["Body"].read()
        except LabError as error:
            if not isinstance(error.__cause__, ClientError):
                raise
            continue  # the object or the bucket is not there
        found.append((name, gzip.decompress(body)))
    return found


def show(texts: Iterable[tuple[str, bytes]]) -> None:
    """Print files; with headings when there are several."""
    several = list(texts)
    for number, (name, text) in enumerate(several):
        if len(several) > 1:
            click.secho(f"{chr(10) if number else ''}==> {name} <==", bold=True)
        click.echo(text.decode(errors="replace"), nl=not text.endswith(b"\n"))


def follow_files(finds: Sequence[Callable[[], Path | None]], ended: Callable[[], bool]) -> None:
    """Print files as they grow, waiting for them to appear, until ``ended`` and everything is printed."""
    positions = [0] * len(finds)
    while True:
        last = ended()  # asked before reading: what was written until the end is still shown
        for number, find in enumerate(finds):
            if path := find():
                positions[number] = print_on(path, positions[number])
        if last:
            return
        time.sleep(POLL)


def print_on(path: Path, position: int) -> int:
    """Print what a file has beyond ``position``, and return where it ends now."""
    with path.open("rb") as stream:
        if position > path.stat().st_size:  # rotated
            position = 0
        stream.seek(position)
        while part := stream.read(1 << 16):
            click.echo(part.decode(errors="replace"), nl=False)
        return stream.tell()
