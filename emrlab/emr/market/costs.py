"""What a cluster and its steps would cost on AWS: EC2, EMR's charge and EBS, by the second.

"billed per-second, with a one-minute minimum" (Amazon EMR pricing); spot instances at the market's price of each
moment, EMR's charge the same for both; a spot instance that EC2 takes away in its first hour is not charged for EC2
("Billing for interrupted Spot Instances"). Bills run on true time: a faster lab clock makes nothing dearer.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from ..history import History
from ..records import Cluster, Fleet, Group, Instance, Step
from . import prices
from .prices import MONTH, Volume
from .spot_market import Market

MINIMUM = 60.0  # seconds
FREE_WHEN_INTERRUPTED = 3600.0
UNFULFILLED = "AWAITING_FULFILLMENT"


@dataclass(frozen=True)
class Cost:
    """USD. ``unpriced``: what has no published price and is not in the sums: instance types, kinds of volumes."""

    ec2: float = 0.0
    emr: float = 0.0
    ebs: float = 0.0
    unpriced: frozenset[str] = frozenset()

    @property
    def total(self) -> float:
        return self.ec2 + self.emr + self.ebs

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.ec2 + other.ec2, self.emr + other.emr, self.ebs + other.ebs, self.unpriced | other.unpriced)

    def part(self, share: float) -> Cost:
        return replace(self, ec2=self.ec2 * share, emr=self.emr * share, ebs=self.ebs * share)


@dataclass(frozen=True)
class Bill:
    """Whose instances are billed: where they are, and the volumes that each has."""

    market: Market
    zone: str
    volumes: Mapping[str, list[Volume]]  # by (group or fleet)/(instance type)
    root: Volume

    def of(self, instance: Instance, start: float, end: float) -> Cost:
        """One instance from ``start`` to ``end``."""
        seconds = max(0.0, end - start)
        price = prices.price(instance.instance_type)
        if price is None:
            return Cost(unpriced=frozenset([instance.instance_type])) + self.storage(instance, seconds)
        ec2: float | None = seconds / 3600 * price.on_demand
        if instance.market == "SPOT":
            ec2 = 0.0 if free(instance) else self.market.cost(instance.instance_type, self.zone, start, end)
        return Cost(ec2=ec2 or 0.0, emr=seconds / 3600 * price.emr) + self.storage(instance, seconds)

    def storage(self, instance: Instance, seconds: float) -> Cost:
        found = Cost()
        for volume in [self.root, *self.volumes.get(pool(instance), prices.default_volumes(instance.instance_type))]:
            try:
                found += Cost(ebs=volume.monthly * seconds / MONTH)
            except KeyError:
                found += Cost(unpriced=frozenset([f"EBS {volume.kind}"]))
        return found


def cost(instances: Iterable[Instance], now: float, bill: Bill) -> Cost:
    """All of ``instances`` from their beginning until ``now``."""
    return sum((instance_cost(one, now, bill) for one in instances), Cost())


def instance_cost(instance: Instance, now: float, bill: Bill) -> Cost:
    if instance.state == UNFULFILLED:
        return Cost()
    return bill.of(instance, instance.created, instance.created + seconds(instance, now))


def seconds(instance: Instance, now: float) -> float:
    """What is billed of an instance's life: whole seconds, and no less than a minute."""
    if instance.state == UNFULFILLED:
        return 0.0
    return max(MINIMUM, math.ceil(end_of(instance, now) - instance.created))


def end_of(instance: Instance, now: float) -> float:
    return now if instance.ended is None else min(instance.ended, now)


def free(instance: Instance) -> bool:
    """EC2 took it away (it had its notice) before a full hour was over."""
    if instance.notice is None or instance.ended is None:
        return False
    return instance.ended - instance.created < FREE_WHEN_INTERRUPTED


def pool(instance: Instance) -> str:
    return f"{instance.group}/{instance.instance_type}"


def bill(history: History, cluster: Cluster, market: Market) -> Bill:
    volumes: dict[str, list[Volume]] = {}
    asked: list[tuple[str, str, Mapping[str, Any]]] = [
        (group.id, group.instance_type, group.ebs) for group in history.of(Group, cluster.id)
    ]
    for fleet in history.of(Fleet, cluster.id):
        asked += [(fleet.id, one["InstanceType"], one.get("EbsConfiguration") or {}) for one in fleet.types]
    for owner, instance_type, configuration in asked:
        if found := prices.asked_volumes(configuration):
            volumes[f"{owner}/{instance_type}"] = found
    zone = str(cluster.ec2.get("Ec2AvailabilityZone") or f"{cluster.region}a")
    return Bill(market, zone, volumes, prices.root_volume(cluster.settings.get("EbsRootVolumeSize")))


def cluster_cost(history: History, cluster_id: str, market: Market, now: float) -> Cost:
    """A cluster until ``now``. Raises ``KeyError``."""
    cluster = history.get(Cluster, cluster_id)
    if cluster is None:
        raise KeyError(cluster_id)
    return cost(history.of(Instance, cluster_id), now, bill(history, cluster, market))


def step_cost(history: History, cluster_id: str, step_id: str, market: Market, now: float) -> Cost:
    """A step's part of its cluster's cost: what the instances cost while it ran, shared with the steps beside it.

    Raises ``KeyError``.
    """
    cluster, step = history.get(Cluster, cluster_id), history.get(Step, step_id)
    if cluster is None or step is None or step.cluster != cluster_id:
        raise KeyError(step_id)
    return share(
        step, history.of(Step, cluster_id), history.of(Instance, cluster_id), bill(history, cluster, market), now
    )


def share(step: Step, steps: Iterable[Step], instances: Iterable[Instance], bill: Bill, now: float) -> Cost:
    """``step``'s part of ``instances``: of each moment the same part as every other step that ran then."""
    if step.ready is None:
        return Cost()
    runs = [(one.ready, min(one.ended or now, now)) for one in steps if one.ready is not None]
    begin, end = step.ready, min(step.ended or now, now)
    cuts = sorted({begin, end, *(moment for run in runs for moment in run if begin < moment < end)})
    found, all_of_them = Cost(), list(instances)
    for left, right in pairwise(cuts):
        beside = sum(run[0] <= left and right <= run[1] for run in runs)
        for one in all_of_them:
            if one.state != UNFULFILLED:
                found += bill.of(one, max(left, one.created), min(right, end_of(one, now))).part(1 / max(1, beside))
    return found
