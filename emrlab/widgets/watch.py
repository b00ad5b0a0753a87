"""Watch a cluster or a step until something is true, drawing what happens meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ..errors import LabError
from .cluster import STEP_OVER, Cluster, Step, look
from .cluster_map import cluster_map
from .live import Live

POLL_SECONDS = 0.5


def watch(
    emr: Any,
    cluster_id: str,
    until: str = "WAITING",
    timeout: float = 1800,
    read: Callable[[Any, str], Cluster] = look,
    pause: Callable[[float], None] = time.sleep,
) -> Cluster:
    """Return once the cluster is ``until``. ``LabError`` with the reason when it never will be."""
    cluster = follow(emr, cluster_id, lambda one: one.state == until or one.over, timeout, "", read, pause)
    if cluster.state != until:
        raise LabError(ended(cluster, until))
    return cluster


def watch_step(
    emr: Any,
    cluster_id: str,
    step_id: str,
    timeout: float = 1800,
    read: Callable[[Any, str], Cluster] = look,
    pause: Callable[[float], None] = time.sleep,
) -> Step:
    """Return once the step is COMPLETED. ``LabError`` with the reason and where to read on when it is not."""

    def done(cluster: Cluster) -> bool:
        step = cluster.step(step_id)
        return cluster.over or step is None or step.state in STEP_OVER

    cluster = follow(emr, cluster_id, done, timeout, step_id, read, pause)
    step = cluster.step(step_id)
    if step is None:
        raise LabError(f"Cluster {cluster.name} has no step {step_id}. List its steps: emr.list_steps(ClusterId=…)")
    if step.state != "COMPLETED":
        where = step.log or f"{cluster.log_uri}{cluster.id}/steps/{step.id}/"
        why = f" {step.reason}" if step.reason else ""
        raise LabError(f"The step '{step.name}' is {step.state}.{why} Its log says more: {where}")
    return step


def follow(
    emr: Any,
    cluster_id: str,
    done: Callable[[Cluster], bool],
    timeout: float,
    watched: str,
    read: Callable[[Any, str], Cluster],
    pause: Callable[[float], None],
) -> Cluster:
    until = time.monotonic() + timeout
    with Live() as screen:
        while True:
            cluster = read(emr, cluster_id)
            screen.show(cluster_map(cluster, watched))
            if done(cluster):
                return cluster
            if time.monotonic() > until:
                raise LabError(
                    f"After {timeout:.0f} s cluster {cluster.name} is still {cluster.state}. It goes on without this "
                    "cell: run the cell again to keep watching."
                )
            pause(POLL_SECONDS)


def ended(cluster: Cluster, until: str) -> str:
    """Why a cluster that was to be ``until`` has ended, and what to do."""
    why = f" EMR says: {cluster.reason}" if cluster.reason else ""
    logs = f"{cluster.log_uri}{cluster.id}/node/" if cluster.log_uri else ""
    todo = {
        "BOOTSTRAP_FAILURE": f"Read what the bootstrap action wrote ({logs}…), mend it, launch again.",
        "ALL_STEPS_COMPLETED": "A cluster without KeepJobFlowAliveWhenNoSteps=True ends when it has no steps left: "
        "set it, and launch again.",
        "USER_REQUEST": "Launch another one.",
        "VALIDATION_ERROR": "Change what it names in run_job_flow, and launch again.",
        "STEP_FAILURE": f"Read the failed step's log ({cluster.log_uri}{cluster.id}/steps/), mend it, launch again.",
    }
    return (
        f"Cluster {cluster.name} is {cluster.state}, so it will not be {until}.{why} "
        f"{todo.get(cluster.code, 'Launch another one; if it ends again, run emrlab doctor in a terminal.')}"
    )
