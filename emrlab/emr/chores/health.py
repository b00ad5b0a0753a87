"""Nodes that YARN finds UNHEALTHY: told, and after a while replaced, where the cluster wants that.

See "Replacing unhealthy nodes with Amazon EMR".
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ...applications.hadoop_drain import yarn_nodes
from .. import events
from ..records import Collection, Fleet, Group, Instance
from . import chore

if TYPE_CHECKING:
    from ..driver import Driver

LOOK_SECONDS = 3.0
TOLD_SECONDS = 3600.0  # between two events about a node that cannot be replaced
PATIENCE = 45 * 60.0  # lab seconds that a node may be unhealthy


@chore
def look(driver: Driver) -> None:
    if driver.due("health", LOOK_SECONDS):
        check(driver, {name: one.get("state", "") for name, one in yarn_nodes(driver.machines.site).items()})


def check(driver: Driver, states: dict[str, str]) -> None:
    """``states``: of YARN's nodes, by private DNS name. Task nodes count too; EMR tells of core nodes alone."""
    cluster = driver.cluster
    for instance in driver.history.of(Instance, driver.cluster_id, ["RUNNING"]):
        if instance.role == "MASTER" or instance.ec2 in driver.going:
            continue
        sick = states.get(instance.name) == "UNHEALTHY"
        collection = driver.history.get(Group, instance.group) or driver.history.get(Fleet, instance.group)
        told = collection is not None and instance.role == "CORE"
        if sick and instance.unhealthy is None:
            mark(driver, instance, time.time())
            if told and collection is not None:
                driver.service.events.say(events.health.unhealthy(cluster, instance, collection))
        elif not sick and instance.unhealthy is not None and not instance.replace:
            mark(driver, instance, None)
            if told and collection is not None:
                driver.service.events.say(events.health.recovered(cluster, instance, collection))
        elif sick and not instance.replace and cluster.replaces_unhealthy is not False:
            assert instance.unhealthy is not None
            if time.time() - instance.unhealthy >= driver.service.clock.true(PATIENCE):
                with driver.history.changing(Instance, instance.id) as now:
                    now.replace = True
        elif told and collection is not None and stuck(driver, instance, collection):
            reason = collection.reason.rstrip(".") or "its group is suspended"
            driver.service.events.say(events.health.not_replaced(cluster, instance, collection, reason))


def stuck(driver: Driver, instance: Instance, collection: Collection) -> bool:
    """Whether it is to be replaced and cannot be; true now and then, not each time."""
    waits = instance.replace and collection.state == "SUSPENDED"
    return waits and driver.due(f"{instance.id} stays", TOLD_SECONDS)


def mark(driver: Driver, instance: Instance, since: float | None) -> None:
    with driver.history.changing(Instance, instance.id) as now:
        now.unhealthy = since
