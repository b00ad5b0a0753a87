"""Managed scaling: the limits EMR takes, and how many instances or units a cluster should have within them.

Which nodes come and go is EMR's ("Understanding Amazon EMR node allocation strategy and scenarios"). When, and how many
at once, EMR does not publish: here capacity comes for the memory that containers wait for, and idle nodes leave.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ...applications.hadoop_sites import replication
from .. import errors
from ..records import Collection

if TYPE_CHECKING:
    from ..driver import Driver

INDEXES = (1, 25, 50, 75, 100)
WRONG = "Invalid configuration for managed scaling. "
# UtilizationPerformanceIndex → the share of the missing memory that comes at once, and for how many lab seconds a node
# must have been idle to leave. Without ScalingStrategy ADVANCED it is as with 50.
PACES = {1: (0.25, 30.0), 25: (0.5, 45.0), 50: (1.0, 60.0), 75: (1.25, 120.0), 100: (1.5, 300.0)}


@dataclass(frozen=True)
class Limits:
    """Of core and task nodes together, in units of the policy's UnitType."""

    unit: str
    least: int
    most: int
    on_demand: int
    core: int


@dataclass(frozen=True)
class Pool:
    """Nodes of one group, or of one fleet and market. ``count``: how many instances (a fleet: units) are wanted.

    ``size``: units of the policy that one of them is; ``memory``: MiB that YARN has with it. ``floor``: it never has
    fewer; ``free``: how many could go without harm. ``id`` is empty for a group that is not there yet.
    """

    id: str
    role: str
    market: str
    count: int
    size: int
    memory: float
    floor: int = 0
    free: int = 0


def checked(policy: Mapping[str, Any], collection: str) -> dict[str, Any]:
    """The policy, if EMR takes it for a cluster of this InstanceCollectionType. Raises ``AwsError``."""
    given = policy.get("ComputeLimits")
    if not given:
        raise errors.validation(WRONG + "ComputeLimits is missing.")
    found = limits(policy)
    fleets = collection == "INSTANCE_FLEET"
    if fleets != (found.unit == "InstanceFleetUnits"):
        kind = "instance fleets: use InstanceFleetUnits" if fleets else "instance groups: use Instances or VCPU"
        raise errors.validation(f"{WRONG}UnitType {found.unit} does not fit a cluster of {kind}.")
    if found.least < 1:
        raise errors.validation(WRONG + "The min capacity must be at least 1")
    for name, value in (("min", found.least), ("max Core", found.core), ("max On-Demand", found.on_demand)):
        if value > found.most:
            raise errors.validation(f"{WRONG}The {name} capacity cannot be higher than max capacity")
        if value < 0:
            raise errors.validation(f"{WRONG}The {name} capacity cannot be negative")
    index = policy.get("UtilizationPerformanceIndex")
    if index is not None and policy.get("ScalingStrategy") != "ADVANCED":
        raise errors.validation(WRONG + "UtilizationPerformanceIndex needs ScalingStrategy ADVANCED.")
    if index is not None and index not in INDEXES:
        raise errors.validation(
            f"{WRONG}UtilizationPerformanceIndex is one of {', '.join(map(str, INDEXES))}, not {index}."
        )
    return dict(policy)


def limits(policy: Mapping[str, Any]) -> Limits:
    given = policy["ComputeLimits"]
    most = given["MaximumCapacityUnits"]
    return Limits(
        given["UnitType"],
        given["MinimumCapacityUnits"],
        most,
        given.get("MaximumOnDemandCapacityUnits", most),
        given.get("MaximumCoreCapacityUnits", most),
    )


def pace(policy: Mapping[str, Any]) -> tuple[float, float]:
    return PACES[policy.get("UtilizationPerformanceIndex", 50)]


def units(pools: Sequence[Pool], **fits: str) -> int:
    """Of the pools whose fields are so."""
    return sum(
        one.count * one.size for one in pools if all(getattr(one, name) == value for name, value in fits.items())
    )


def room(pools: Sequence[Pool], pool: Pool, limits: Limits) -> bool:
    """Whether one more of ``pool`` keeps all limits."""
    return (
        units(pools) + pool.size <= limits.most
        and (pool.role != "CORE" or units(pools, role="CORE") + pool.size <= limits.core)
        and (pool.market != "ON_DEMAND" or units(pools, market="ON_DEMAND") + pool.size <= limits.on_demand)
    )


def grown(pools: Sequence[Pool], limits: Limits, missing: float) -> list[Pool]:
    """The pools with ``missing`` MiB more, as far as limits allow, and with what the minimum asks for at least.

    Core nodes first, then task nodes; of these On-Demand first, then Spot.
    """
    found = sorted(pools, key=lambda one: (one.role != "CORE", one.market != "ON_DEMAND"))
    for place, pool in enumerate(found):
        while missing > 0 or units(found) < limits.least:
            if not room(found, found[place], limits):
                break
            found[place] = replace(found[place], count=found[place].count + 1)
            missing -= pool.memory
    return found


def shrunk(pools: Sequence[Pool], limits: Limits, spare: float) -> list[Pool]:
    """The pools without free nodes of ``spare`` MiB together, down to the minimum, and without what exceeds a maximum.

    Task nodes first, then core nodes; of both Spot first, then On-Demand.
    """
    found = sorted(pools, key=lambda one: (one.role == "CORE", one.market == "ON_DEMAND"))
    for place, pool in enumerate(found):
        free = pool.free
        while found[place].count > pool.floor:
            over = (
                units(found) > limits.most
                or (pool.role == "CORE" and units(found, role="CORE") > limits.core)
                or (pool.market == "ON_DEMAND" and units(found, market="ON_DEMAND") > limits.on_demand)
            )
            idle = free > 0 and spare >= pool.memory
            if not (over or idle) or units(found) - pool.size < limits.least:
                break
            found[place] = replace(found[place], count=found[place].count - 1)
            free, spare = free - 1, spare - pool.memory
    return found


def missing(yarn: Mapping[str, Any], share: float) -> float:
    """MiB that the cluster lacks for the containers that wait; ``share`` of it is to come at once.

    Containers may wait though there is memory enough: in pieces too small for them. Then a little more helps.
    """
    if not yarn["containersPending"]:
        return 0.0
    wanted = yarn["allocatedMB"] + yarn["reservedMB"] + yarn["pendingMB"] - yarn["totalMB"]
    return max(1.0, math.ceil(wanted * share))


def least(driver: Driver, collection: Collection) -> int:
    """How many instances a group keeps: never fewer core nodes than a block of HDFS has copies."""
    if collection.role != "CORE":
        return 0
    site = driver.machines.site
    told = site.master.of("hdfs-site").get("dfs.replication")
    return max(1, int(told) if told else replication(site.launched or len(site.workers)))
