"""Managed scaling at work: every few lab seconds, as many nodes as the work needs, within the policy's limits.

It changes what groups and fleets are to have; ``sizes`` and the resizes it starts do the rest, gently: a node that is
to leave finishes its work first, and stays when there is work again.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from .. import events, ids
from ..instance_types import all_types
from ..records import Collection, Fleet, Group, Instance
from ..requests.checks import NODES
from ..requests.group_request import NAMES
from ..scaling import figures
from ..scaling.managed_scaling import Limits, Pool, grown, least, limits, missing, pace, shrunk
from ..scaling.watch import Reading
from . import chore
from .metrics import reading

if TYPE_CHECKING:
    from ..driver import Driver

SHUFFLE = 1800.0  # lab seconds that a node is kept for the shuffle data it may have: "up to a maximum of 30 minutes"
AT_WORK = ("PROVISIONING", "BOOTSTRAPPING", "RUNNING", "RESIZING")


@dataclass
class Seen:
    """What was noticed of one cluster. Node → when it was last busy: lab seconds of ``lab``, and true time."""

    moment: float = 0.0
    lab: float = 0.0
    waiting: int = 0  # readings in a row with containers that wait
    busy: dict[str, float] = field(default_factory=dict)
    worked: dict[str, float] = field(default_factory=dict)


SEEN: WeakKeyDictionary[Driver, Seen] = WeakKeyDictionary()


@chore
def look(driver: Driver) -> None:
    policy, found = driver.cluster.managed_scaling, reading(driver)
    if not policy:
        SEEN.pop(driver, None)
        return
    seen = SEEN.setdefault(driver, Seen())
    if found is None or not found.yarn or found.moment == seen.moment:
        return
    notice(seen, found)
    share, patience = pace(policy)
    allowed = within(limits(policy))
    before = pools(driver, seen, found, patience, allowed.unit)
    apply(driver, before, decide(before, allowed, seen, found, share))


def notice(seen: Seen, found: Reading) -> None:
    seen.moment, seen.lab = found.moment, seen.lab + found.passed
    seen.waiting = seen.waiting + 1 if found.yarn["containersPending"] else 0
    for name, node in found.nodes.items():
        if node["numContainers"]:
            seen.busy[name], seen.worked[name] = seen.lab, time.time()
        else:
            seen.busy.setdefault(name, seen.lab)  # a node that has just come has its time too


def decide(before: Sequence[Pool], allowed: Limits, seen: Seen, found: Reading, share: float) -> list[Pool]:
    """Grow while containers wait (twice in a row: a job that begins asks for more than it needs), else shrink."""
    coming = max(0.0, sum(one.count * one.memory for one in before) - found.yarn["totalMB"])
    lacking = missing(found.yarn, share) - coming if seen.waiting > 1 else 0.0
    after = grown(before, allowed, lacking)
    if not seen.waiting:
        after = shrunk(after, allowed, found.yarn["availableMB"])
    elif sum(one.count for one in after) == sum(one.count for one in before):
        after = shrunk(after, allowed, 0.0)  # what exceeds limits that were lowered
    return after


def within(allowed: Limits) -> Limits:
    """No more instances than one machine can be asked for."""
    return replace(allowed, most=min(allowed.most, NODES - 1)) if allowed.unit == "Instances" else allowed


def pools(driver: Driver, seen: Seen, found: Reading, patience: float, unit: str) -> list[Pool]:
    """The cluster's core and task nodes, and task groups that it could be given."""
    history, cluster_id = driver.history, driver.cluster_id
    instances = history.of(Instance, cluster_id, ["RUNNING"])
    groups = [one for one in history.of(Group, cluster_id) if one.role != "MASTER" and one.state in AT_WORK]
    made = []
    for group in groups:
        idle = free(seen, found, patience, group, instances)
        made.append(pool(group, group.instance_type, group.market, group.requested, unit, least(driver, group), idle))
    core = next((one for one in groups if one.role == "CORE"), None)
    if core:
        have = {one.market for one in groups if one.role == "TASK"}
        new = replace(core, id="", role="TASK")
        made += [pool(new, core.instance_type, one, 0, unit) for one in ("ON_DEMAND", "SPOT") if one not in have]
    for fleet in history.of(Fleet, cluster_id):
        if fleet.role != "MASTER" and fleet.state in AT_WORK:
            made += fleet_pools(fleet, least(driver, fleet), free(seen, found, patience, fleet, instances))
    return made


def pool(group: Group, instance_type: str, market: str, count: int, unit: str, floor: int = 0, free: int = 0) -> Pool:
    size = figures.vcpu(instance_type) if unit == "VCPU" else 1
    memory = all_types()[instance_type].capacity.yarn_mb
    return Pool(group.id, group.role, market, count, size, memory, floor, free)


def fleet_pools(fleet: Fleet, floor: int, free: int) -> list[Pool]:
    """A unit's memory is what the leanest of the fleet's types gives for one."""
    weights = {one["InstanceType"]: one.get("WeightedCapacity", 1) for one in fleet.types}
    memory = min(all_types()[name].capacity.yarn_mb / max(1, weight) for name, weight in weights.items())
    keep = floor * max(weights.values())
    targets = {"ON_DEMAND": fleet.target_on_demand, "SPOT": fleet.target_spot}
    kept = {"ON_DEMAND": min(keep, fleet.target_on_demand)}
    kept["SPOT"] = min(max(0, keep - kept["ON_DEMAND"]), fleet.target_spot)
    units = free * min(weights.values())
    return [Pool(fleet.id, fleet.role, one, count, 1, memory, kept[one], units) for one, count in targets.items()]


def free(seen: Seen, found: Reading, patience: float, collection: Collection, instances: Sequence[Instance]) -> int:
    """How many of its nodes have had no container for ``patience``, and no part in what runs now.

    A node that has worked for an application that still runs may have shuffle data.
    """
    count = 0
    for one in instances:
        node = found.nodes.get(one.name)
        if one.group != collection.id or node is None or node["numContainers"] or node["state"] != "RUNNING":
            continue
        rested = seen.lab - seen.busy.get(one.name, seen.lab)
        shuffles = found.since is not None and seen.worked.get(one.name, 0.0) >= found.since and rested < SHUFFLE
        count += rested >= patience and not shuffles
    return count


def apply(driver: Driver, before: Sequence[Pool], after: Sequence[Pool]) -> None:
    counts = {(one.id, one.role, one.market): one.count for one in before}
    cluster, history = driver.cluster, driver.history
    for one in after:
        had = counts[one.id, one.role, one.market]
        if one.count == had:
            continue
        if not one.id:
            changed: Collection = new_group(driver, one)
        elif fleet := history.get(Fleet, one.id):
            with history.changing(Fleet, fleet.id) as changed:
                if one.market == "SPOT":
                    changed.target_spot = one.count
                else:
                    changed.target_on_demand = one.count
        else:
            with history.changing(Group, one.id) as changed:
                changed.requested = one.count
        driver.service.events.say(events.scaling.managed(cluster, changed, one.count * one.size, had * one.size))
        if one.id:
            have = running(changed, history.of(Instance, cluster.id, ["RUNNING"]))
            driver.service.events.say(events.capacity.resize_initiated(cluster, changed, have, "managed scaling"))
    driver.wake()


def running(collection: Collection, instances: Sequence[Instance]) -> int | events.Capacity:
    if isinstance(collection, Fleet):
        return events.Capacity.of(collection, instances)
    return sum(one.group == collection.id for one in instances)


def new_group(driver: Driver, wanted: Pool) -> Group:
    """Task nodes of a market that no task group has: like the core nodes otherwise."""
    core = next(one for one in driver.history.of(Group, driver.cluster_id) if one.role == "CORE")
    group = Group(
        id=ids.made("ig"),
        cluster=driver.cluster_id,
        state="PROVISIONING",
        name=NAMES["TASK"],
        role="TASK",
        instance_type=core.instance_type,
        requested=wanted.count,
        market=wanted.market,
        configurations=core.configurations,
        ebs=core.ebs,
    )
    driver.history.add(group)
    return group
