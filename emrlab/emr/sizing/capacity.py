"""What a group or fleet still needs, or has too many of: the plan that ``provisioning`` and ``resize`` carry out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...applications.hadoop_drain import masters_of_applications, yarn_nodes
from ..machines import Wanted
from ..market import allocation, prices
from ..market.spot_market import Market
from ..records import Collection, Fleet, Group, Instance

if TYPE_CHECKING:
    from ..driver import Driver

REPLACED_SECONDS = 3600  # for the graceful replacement of an unhealthy node


@dataclass(frozen=True)
class Plan:
    """``launch``, or ``leave``, or neither. ``waiting``: what is missing cannot be had now, and why."""

    launch: list[Wanted] = field(default_factory=list)
    leave: list[Instance] = field(default_factory=list)
    waiting: str = ""


def target(collection: Collection) -> tuple[int, ...]:
    """What the collection is to have; it changes when somebody wants something else."""
    if isinstance(collection, Fleet):
        return collection.target_on_demand, collection.target_spot
    return (collection.requested,)


def living(driver: Driver, collection: Collection) -> list[Instance]:
    """Its instances that are not over and stay."""
    return [
        one
        for one in driver.history.of(Instance, driver.cluster_id)
        if one.group == collection.id and not one.over and one.ec2 not in driver.going
    ]


def plan(driver: Driver, collection: Collection) -> Plan:
    """What to do next. Instances to be replaced leave when others have taken their place."""
    have = living(driver, collection)
    stay = [one for one in have if not one.replace]
    if isinstance(collection, Fleet):
        found = plan_fleet(driver, collection, stay)
    else:
        found = plan_group(driver, collection, stay)
    if not found.launch and not found.leave and len(stay) < len(have):
        return Plan(leave=[one for one in have if one.replace], waiting=found.waiting)
    return found


# Groups


def plan_group(driver: Driver, group: Group, have: Sequence[Instance]) -> Plan:
    """Named instances leave first, whatever the size."""
    named = [one for one in have if at_once(group, one)]
    if named:
        return Plan(leave=named)
    missing = group.requested - len(have)
    if missing > 0:
        if said := too_dear(group, driver.market, driver.zone):
            return Plan(waiting=said)
        return Plan(launch=[Wanted(group.instance_type, group.market, bid=bid(group))] * missing)
    if missing == 0:
        return Plan()
    leave = departing(driver, group, have, -missing)
    return Plan(leave=leave, waiting="" if leave else "All of the group's instances are in InstancesToProtect.")


def bid(group: Group) -> float | None:
    """The most that a group's spot instances may cost, USD per hour: the on-demand price unless it says another."""
    if group.market != "SPOT":
        return None
    if group.bid_price:
        return float(group.bid_price)
    listed = prices.price(group.instance_type)
    return listed.on_demand if listed else None


def too_dear(group: Group, market: Market, zone: str) -> str:
    """Why spot instances cannot be had now; empty when they can, or when none are asked for."""
    most = bid(group)
    if group.market != "SPOT":
        return ""
    now = market.price(group.instance_type, zone)
    if now is None or most is None:
        return f"There is no spot market for {group.instance_type} here."
    if now > most:
        return f"Waiting for spot capacity: {group.instance_type} costs {now:.4f} USD in {zone}, the bid is {most:.4f}."
    return ""


def departing(driver: Driver, group: Group, have: Sequence[Instance], count: int) -> list[Instance]:
    """Which instances leave: those that the ShrinkPolicy names, then the least busy; never one it protects."""
    policy = group.shrink.get("InstanceResizePolicy") or {}
    protected, first = policy.get("InstancesToProtect") or [], policy.get("InstancesToTerminate") or []
    free = [one for one in have if one.ec2 not in protected]
    order = [one for one in free if one.ec2 in first]
    order += least_busy(driver, [one for one in free if one not in order])
    return order[:count]


def least_busy(driver: Driver, instances: Sequence[Instance]) -> list[Instance]:
    """In the order they should leave: the least work first, application masters last, of equals the newest first."""
    site = driver.machines.site
    yarn, masters = yarn_nodes(site), masters_of_applications(site)

    def work(one: Instance) -> tuple[bool, int, float]:
        return one.name in masters, yarn.get(one.name, {}).get("numContainers", 0), -one.created

    return sorted(instances, key=work)


def at_once(collection: Collection, instance: Instance) -> bool:
    """Whether the instance was named in EC2InstanceIdsToTerminate: it does not wait for its work."""
    return isinstance(collection, Group) and instance.ec2 in collection.at_once


def patience(collection: Collection, leaving: Sequence[Instance]) -> int | None:
    """Seconds that work on leaving instances may go on (ShrinkPolicy); None: the cluster's setting."""
    if all(one.replace for one in leaving):
        return REPLACED_SECONDS
    if not isinstance(collection, Group):
        return None
    policy = collection.shrink.get("InstanceResizePolicy") or {}
    named = policy.get("InstancesToTerminate") or []
    if "InstanceTerminationTimeout" in policy and all(one.ec2 in named for one in leaving):
        return int(policy["InstanceTerminationTimeout"])
    found = collection.shrink.get("DecommissionTimeout")
    return None if found is None else int(found)


# Fleets


def plan_fleet(driver: Driver, fleet: Fleet, have: Sequence[Instance]) -> Plan:
    """What the market gives of what is missing; what it does not is waited for, until ``late``."""
    market, zone = driver.market, driver.zone
    if leave := allocation.surplus(fleet, have, market, zone, switched=fleet.switched):
        return Plan(leave=leave)
    missing = allocation.needed(fleet, have, fleet.switched)
    short = sum(missing.values())
    if short <= fleet.unmet:
        return Plan()
    resizing = fleet.state not in ("PROVISIONING", "BOOTSTRAPPING")
    launches = allocation.allocate(fleet, have, market, zone, resizing=resizing, switched=fleet.switched)
    wanted = [Wanted(one.instance_type, one.market, one.weight, one.bid) for one in launches]
    if sum(one.weight for one in wanted) >= short:
        return Plan(launch=wanted)
    return Plan(launch=wanted, waiting=f"Waiting for capacity: {short} of the fleet's units are missing in {zone}.")


def timeout(fleet: Fleet) -> tuple[float, str] | None:
    """Lab seconds that the fleet waits for missing capacity, and what then: SWITCH_TO_ON_DEMAND, TERMINATE_CLUSTER, or
    STOP (of a resize). None: it waits for as long as it takes."""
    if fleet.state in ("PROVISIONING", "BOOTSTRAPPING"):
        told = fleet.launch.get("SpotSpecification")
        return None if not told else (told["TimeoutDurationMinutes"] * 60.0, told["TimeoutAction"])
    names = ("SpotResizeSpecification", "OnDemandResizeSpecification")
    found = [(fleet.resize.get(name) or {}).get("TimeoutDurationMinutes") for name in names]
    minutes = next((one for one in found if one is not None), None)
    return None if minutes is None else (minutes * 60.0, "STOP")


def late(driver: Driver, fleet: Fleet) -> str:
    """What the fleet's timeout demands now; empty while it has not come."""
    limit = timeout(fleet)
    if limit is None or fleet.since is None:
        return ""
    seconds, action = limit
    return action if time.time() - fleet.since >= driver.service.clock.true(seconds) else ""
