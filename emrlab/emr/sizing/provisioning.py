"""Instances of a new cluster, and what happens when the market does not give them in time.

See "Configure instance fleets" (provisioning timeout) and "Allocation strategies for instance fleets".
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ..market import allocation, spot_market
from ..records import Cluster, Collection, Fleet, Group, Instance
from . import capacity, shortage

if TYPE_CHECKING:
    from ..driver import Driver

LOOK_SECONDS = 0.25
ROLES = ("MASTER", "CORE", "TASK")


class TimedOut(Exception):
    """The capacity did not come, and the fleet says that the cluster is to end then."""


def collections(driver: Driver) -> list[Collection]:
    """The cluster's groups and fleets, the master's first."""
    history = driver.history
    found: list[Collection] = [
        *history.of(Group, driver.cluster_id),
        *history.of(Fleet, driver.cluster_id),
    ]
    return sorted(found, key=lambda one: ROLES.index(one.role))


def provision(driver: Driver) -> None:
    """Make the instances of all groups and fleets. Raises ``TimedOut``, and what ``driver.go_on`` raises."""
    choose_zone(driver)
    for collection in collections(driver):
        kind = type(collection)
        if isinstance(collection, Fleet):
            with driver.history.changing(Fleet, collection.id) as fleet:
                fleet.since = time.time()
        while True:
            driver.go_on()
            now = driver.history.get(kind, collection.id)
            assert now is not None
            plan = capacity.plan(driver, now)
            if plan.launch:
                driver.history.add(*driver.machines.make(now, plan.launch))
            if not plan.waiting:
                break
            if isinstance(now, Fleet) and give_up(driver, now):
                continue
            shortage.tell(driver, now, plan.waiting)
            driver.say(plan.waiting)
            driver.service.stopping.wait(LOOK_SECONDS)


def choose_zone(driver: Driver) -> None:
    """EMR puts a cluster of fleets where its capacity is to be had, unless it was told where."""
    fleets = driver.history.of(Fleet, driver.cluster_id)
    zones = driver.cluster.ec2.get("RequestedEc2AvailabilityZones") or []
    if not fleets or len(zones) == 1:
        return
    best = allocation.best_zone(fleets, zones or spot_market.zones(driver.cluster.region), driver.market)
    with driver.history.changing(Cluster, driver.cluster_id) as cluster:
        cluster.ec2 = {**cluster.ec2, "Ec2AvailabilityZone": best}
    driver.zone = best


def give_up(driver: Driver, fleet: Fleet) -> bool:
    """Do what the fleet's timeout says, when it has come. Raises ``TimedOut``."""
    action = capacity.late(driver, fleet)
    if not action:
        return False
    have = [one for one in driver.history.of(Instance, driver.cluster_id) if one.group == fleet.id and not one.over]
    short = sum(allocation.needed(fleet, have, fleet.switched).values())
    if action == "TERMINATE_CLUSTER":
        raise TimedOut(f"The {fleet.role.lower()} instance fleet lacks {short} units after its provisioning timeout.")
    with driver.history.changing(Fleet, fleet.id) as now:
        if action == "SWITCH_TO_ON_DEMAND" and not now.switched:
            now.switched = True
        else:
            now.unmet = short
            if now.state == "RESIZING":
                shortage.timed_out(driver, now)
    return True
