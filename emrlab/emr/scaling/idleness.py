"""Whether a cluster is idle, as auto-termination means it ("Using an auto-termination policy for cluster cleanup").

For emr-6.4.0 and later: no active YARN applications, HDFS less than 10% full, no notebooks at work, no application user
interface in use (here: opened by a presigned URL), no steps that wait or run. ``/emr/metricscollector/isbusy`` on the
master node, touched now and then, says that the cluster is not idle either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..interactive.notebooks import ACTIVE, NotebookExecution
from ..records import Step
from ..states import STEP_ACTIVE
from .figures import Figures

if TYPE_CHECKING:
    from ..driver import Driver

FULL = 10.0  # percent
BUSY = ("emr", "metricscollector", "isbusy")


def idle(driver: Driver, figures: Figures, since: float) -> bool:
    """Whether it was all the time since ``since`` (seconds since 1970), as far as anybody can tell."""
    if "IsIdle" not in figures or not figures["IsIdle"][0]:
        return False
    if figures.get("HDFSUtilization", (100.0, ""))[0] >= FULL:
        return False
    history, cluster_id = driver.history, driver.cluster_id
    if history.of(Step, cluster_id, STEP_ACTIVE):
        return False
    if history.of(NotebookExecution, cluster_id, ACTIVE):
        return False
    if driver.service.links.opened.get(driver.cluster.master, 0.0) >= since:
        return False
    return not touched(driver, since)


def touched(driver: Driver, since: float) -> bool:
    """Whether somebody has touched ``isbusy``; its folder is made ready."""
    file = driver.machines.master.path(*BUSY)
    file.parent.mkdir(parents=True, exist_ok=True)
    return file.exists() and file.stat().st_mtime >= since
