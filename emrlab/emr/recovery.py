"""After a region that ended without saying so: its clusters have no processes any more, and are told as ended."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from ..nodes.node import Node
from .closing import clean, close
from .interactive import event_logs, notebooks, sessions
from .interactive.notebooks import NotebookExecution
from .interactive.sessions import Session
from .log_archive import LogArchive
from .records import Cluster
from .s3 import S3
from .states import ACTIVE

if TYPE_CHECKING:
    from .service import EmrService

log = logging.getLogger(__name__)
REASON = "The region ended while the cluster was active; its processes are gone."


def recover(service: EmrService) -> None:
    """Close what was active; archive its logs in the background. Processes were ended before the region started."""
    event_logs.prune(service.home)
    lost = service.history.in_states(Cluster, ACTIVE)
    for cluster in lost:
        with service.history.transaction():
            with service.history.changing(Cluster, cluster.id) as now:
                if now.state != "TERMINATING":
                    now.move("TERMINATING", REASON, "INTERNAL_ERROR")
            close(service, cluster.id, errors=True)
        log.warning("cluster %s was %s when the region ended", cluster.id, cluster.state)
    for execution in service.history.in_states(NotebookExecution, notebooks.ACTIVE):
        with service.history.changing(NotebookExecution, execution.id) as gone:
            gone.move("FAILED", gone.say("has failed", REASON))
    for session in service.history.in_states(Session, sessions.ACTIVE):
        with service.history.changing(Session, session.id) as ended:
            ended.move("FAILED", REASON)
    if lost:
        threading.Thread(target=tidy, args=(service, lost), name="recovery", daemon=True).start()


def tidy(service: EmrService, lost: list[Cluster]) -> None:
    for cluster in lost:
        folders = folders_of(service.home.clusters / cluster.id)
        s3 = S3(service.endpoint, cluster.account, cluster.region)
        LogArchive(s3, cluster.log_uri, cluster.id).push(folders)
        for folder in folders:
            clean(Node(folder, "", "", service.home.mark))


def folders_of(cluster: Path) -> list[Path]:
    return sorted(path for path in cluster.glob("i-*") if path.is_dir())
