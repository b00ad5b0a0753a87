"""What a group or fleet still needs, or has too many of: the plan that ``resize`` carries out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..applications.hadoop_drain import masters_of_applications, yarn_nodes
from .machines import Wanted
from .records import Collection, Fleet, Group, Instance

if TYPE_CHECKING:
    from .driver import Driver


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
    """What to do next. Named instances leave first, whatever the size."""
    have = living(driver, collection)
    if isinstance(collection, Group):
        return plan_group(driver, collection, have)
    raise NotImplementedError


def plan_group(driver: Driver, group: Group, have: Sequence[Instance]) -> Plan:
    named = [one for one in have if at_once(group, one)]
    if named:
        return Plan(leave=named)
    missing = group.requested - len(have)
    if missing > 0:
        return Plan(launch=[Wanted(group.instance_type, group.market, bid=bid(group))] * missing)
    if missing == 0:
        return Plan()
    leave = departing(driver, group, have, -missing)
    return Plan(leave=leave, waiting="" if leave else "All of the group's instances are in InstancesToProtect.")


def bid(group: Group) -> float | None:
    return float(group.bid_price) if group.market == "SPOT" and group.bid_price else None


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
    if not isinstance(collection, Group):
        return None
    policy = collection.shrink.get("InstanceResizePolicy") or {}
    named = policy.get("InstancesToTerminate") or []
    if "InstanceTerminationTimeout" in policy and all(one.ec2 in named for one in leaving):
        return int(policy["InstanceTerminationTimeout"])
    found = collection.shrink.get("DecommissionTimeout")
    return None if found is None else int(found)
