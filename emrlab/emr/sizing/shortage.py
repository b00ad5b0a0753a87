"""Capacity that EC2 does not give now, told as EMR tells it: again and again while it lasts.

See "Responding to Amazon EMR cluster insufficient instance capacity events".
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from .. import events
from ..market import allocation
from ..records import Collection, Fleet, Instance

if TYPE_CHECKING:
    from ..driver import Driver

AGAIN = 300.0  # lab seconds; AWS says "periodically"
STARTS = ("STARTING", "BOOTSTRAPPING")


def tell(driver: Driver, collection: Collection, why: str) -> None:
    """``collection`` waits for instances, or for leave to give some back (``why``)."""
    told, now = driver.service.events.changes.short, time.monotonic()
    if now - told.get(collection.id, -math.inf) < driver.service.clock.true(AGAIN):
        return
    told[collection.id] = now
    cluster, zones = driver.cluster, [driver.zone]
    there = [one for one in driver.history.of(Instance, driver.cluster_id) if one.group == collection.id]
    have: int | events.Capacity
    spot: list[str] = []
    on_demand: list[str] = []
    if isinstance(collection, Fleet):
        have = events.Capacity.of(collection, there)
        missing = allocation.needed(collection, there, collection.switched)
        types = [one["InstanceType"] for one in collection.types]
        if missing[allocation.SPOT] and not collection.switched:
            spot = types
        if missing[allocation.ON_DEMAND] or collection.switched:
            on_demand = types
    else:
        have = sum(one.state == "RUNNING" for one in there)
        if sum(not one.over for one in there) >= collection.requested:
            driver.service.events.say(events.capacity.resize_stuck(cluster, collection, have, why.rstrip(".")))
            return
        (spot if collection.market == "SPOT" else on_demand).append(collection.instance_type)
    if cluster.state in STARTS:
        said = events.capacity.cannot_start(cluster, collection, have, spot, on_demand, zones)
    else:
        since = driver.service.events.changes.since.get(collection.id, collection.created)
        said = events.capacity.cannot_resize(cluster, collection, have, since, spot, on_demand, zones)
    driver.service.events.say(said)


def timed_out(driver: Driver, fleet: Fleet) -> None:
    """A resize of ``fleet`` has waited as long as its ResizeSpecifications let it, and stops."""
    there = driver.history.of(Instance, driver.cluster_id)
    have, cluster = events.Capacity.of(fleet, there), driver.cluster
    missing = allocation.needed(fleet, [one for one in there if one.group == fleet.id], fleet.switched)
    for market, units in missing.items():
        if units:
            driver.service.events.say(events.capacity.resize_timeout(cluster, fleet, have, market, driver.zone))
