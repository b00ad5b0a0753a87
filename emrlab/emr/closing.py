"""What is left to do when a cluster, or one of its instances, is over."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from ..nodes.node import Node
from .records import Cluster, Fleet, Group, Instance, Step
from .states import STEP_ACTIVE

if TYPE_CHECKING:
    from .service import EmrService

KEPT_LOGS = 20  # clusters whose nodes' logs stay on this machine
KEPT = ("var",)


def close(service: EmrService, cluster_id: str, errors: bool) -> None:
    """Everything of a cluster is over."""
    history = service.history
    for step in history.of(Step, cluster_id, STEP_ACTIVE):
        with history.changing(Step, step.id) as now:
            now.move("CANCELLED" if now.state == "PENDING" else "INTERRUPTED", "The cluster was terminated")
    for instance in history.of(Instance, cluster_id):
        if not instance.over:
            with history.changing(Instance, instance.id) as gone:
                gone.move("TERMINATED", "Instance was terminated.", "CLUSTER_TERMINATED")
    for kind in (Group, Fleet):
        for one in history.of(kind, cluster_id):
            if not one.over:
                with history.changing(kind, one.id) as ended:
                    ended.move("TERMINATED", "Job flow terminated", "CLUSTER_TERMINATED")
    with history.changing(Cluster, cluster_id) as cluster:
        cluster.move("TERMINATED_WITH_ERRORS" if errors else "TERMINATED", cluster.reason, cluster.reason_code)


def clean(node: Node) -> None:
    """What an instance's end takes with it: all but its logs."""
    for entry in node.folder.iterdir() if node.folder.is_dir() else ():
        if entry.name not in KEPT:
            shutil.rmtree(entry, ignore_errors=True)


def prune(service: EmrService) -> None:
    """Logs of clusters long gone; they are in S3 where there is a LogUri."""
    folders = [folder for folder in service.home.clusters.glob("j-*") if folder.name not in service.drivers]
    folders.sort(key=lambda folder: folder.stat().st_mtime, reverse=True)
    for folder in folders[KEPT_LOGS:]:
        shutil.rmtree(folder, ignore_errors=True)
