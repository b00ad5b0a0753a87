"""Which instances an instance fleet launches and which it gives back ("Configure instance fleets", "Allocation
strategies for Spot Instances"). Pure logic: it starts nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..records import Fleet, Instance
from . import prices
from .spot_market import Market

ON_DEMAND, SPOT = "ON_DEMAND", "SPOT"
# Without one in the fleet ("the default is …", OnDemandResizingSpecification and SpotResizingSpecification).
DEFAULTS = {ON_DEMAND: "lowest-price", SPOT: "price-capacity-optimized"}
SPECIFICATIONS = {
    (ON_DEMAND, False): "OnDemandSpecification",
    (ON_DEMAND, True): "OnDemandResizeSpecification",
    (SPOT, False): "SpotSpecification",
    (SPOT, True): "SpotResizeSpecification",
}
PLENTY = 1_000_000  # on-demand instances that EC2 has here of any type
NO_PRIORITY = float("inf")  # after all that have one


@dataclass(frozen=True)
class Launch:
    """An instance to launch. ``bid``: the most it may cost on the spot market, USD per hour."""

    instance_type: str
    market: str
    weight: int
    bid: float | None = None


@dataclass(frozen=True)
class Offer:
    """What one instance type of a fleet has to offer in one market now. ``price``: USD per hour."""

    instance_type: str
    market: str
    weight: int
    price: float
    depth: int = PLENTY
    priority: float = NO_PRIORITY
    bid: float | None = None

    @property
    def unit_price(self) -> float:
        return self.price / self.weight

    def launch(self) -> Launch:
        return Launch(self.instance_type, self.market, self.weight, self.bid)


def allocate(
    fleet: Fleet,
    there: Iterable[Instance],
    market: Market,
    zone: str,
    at: float | None = None,
    *,
    resizing: bool = False,
    switched: bool = False,
) -> list[Launch]:
    """What to launch so that ``fleet``'s targets are met, as far as prices and spare capacity allow now.

    ``there``: its instances, living or not. ``resizing``: not its first launch, its ResizeSpecifications count.
    ``switched``: its spot timeout has expired, on-demand instances take the place of the spot ones that are missing.
    """
    missing = needed(fleet, there, switched)
    found = fill(offers(fleet, SPOT, market, zone, at), missing[SPOT], strategy(fleet, SPOT, resizing))
    more = missing[ON_DEMAND]
    if switched:
        more += max(0, missing[SPOT] - sum(one.weight for one in found))
    return found + fill(offers(fleet, ON_DEMAND, market, zone, at), more, strategy(fleet, ON_DEMAND, resizing))


def provisioned(there: Iterable[Instance]) -> Counter[str]:
    """Units of capacity by market."""
    found: Counter[str] = Counter({ON_DEMAND: 0, SPOT: 0})
    for one in there:
        if not one.over:
            found[one.market] += one.weight
    return found


def needed(fleet: Fleet, there: Iterable[Instance], switched: bool = False) -> dict[str, int]:
    """Units that are missing by market. ``switched``: on-demand ones beyond their target count as spot ones.

    "the weighted capacity of On-Demand Instances counts toward the target capacity for Spot Instances"
    """
    units = provisioned(there)
    instead = max(0, units[ON_DEMAND] - fleet.target_on_demand) if switched else 0
    return {
        ON_DEMAND: max(0, fleet.target_on_demand - units[ON_DEMAND]),
        SPOT: max(0, fleet.target_spot - units[SPOT] - instead),
    }


def offers(fleet: Fleet, kind: str, market: Market, zone: str, at: float | None = None) -> list[Offer]:
    """The fleet's instance types as ``kind`` (ON_DEMAND or SPOT) can have them; those above their bid are left out."""
    found = []
    for one in fleet.types:
        name, units = one["InstanceType"], weight(one, fleet.role)
        priority = float(one["Priority"]) if one.get("Priority") is not None else NO_PRIORITY
        listed = prices.price(name)
        if kind == ON_DEMAND:
            # One without a published price can be had all the same; it comes after those that have one.
            usd = listed.on_demand if listed else NO_PRIORITY
            found.append(Offer(name, kind, units, usd, priority=priority))
            continue
        most, now = bid(one), market.price(name, zone, at)
        if most is not None and now is not None and now <= most:
            found.append(Offer(name, kind, units, now, market.depth(name, zone, at), priority, most))
    return found


def weight(config: Mapping[str, Any], role: str) -> int:
    """``WeightedCapacity``: 1 unless it says another; always 1 in a master fleet."""
    return 1 if role == "MASTER" else int(config.get("WeightedCapacity") or 1)


def bid(config: Mapping[str, Any]) -> float | None:
    """The most a spot instance may cost, USD per hour; None when that depends on a price nobody published.

    "If neither BidPrice nor BidPriceAsPercentageOfOnDemandPrice is provided, …OnDemandPrice defaults to 100%."
    """
    if config.get("BidPrice"):
        return float(config["BidPrice"])
    listed = prices.price(config["InstanceType"])
    if listed is None:
        return None
    percent = config.get("BidPriceAsPercentageOfOnDemandPrice")
    return listed.on_demand * float(100 if percent is None else percent) / 100


def strategy(fleet: Fleet, kind: str, resizing: bool) -> str:
    """The allocation strategy in force. A resize without one of its own goes on as the launch did."""
    for told, of_resize in ((fleet.resize, True), (fleet.launch, False)) if resizing else ((fleet.launch, False),):
        named = (told.get(SPECIFICATIONS[kind, of_resize]) or {}).get("AllocationStrategy")
        if named:
            return str(named)
    return DEFAULTS[kind]


def by_capacity(offer: Offer) -> tuple[float, float]:
    return -offer.depth * offer.weight, offer.unit_price


def ordered(offers: Sequence[Offer], units: int, name: str) -> list[Offer]:
    """``offers`` as the strategy ``name`` prefers them for ``units`` of capacity, the best first."""

    def enough(offer: Offer) -> bool:
        return offer.depth * offer.weight >= units

    deepest = max((one.depth * one.weight for one in offers), default=0)
    orders: dict[str, Callable[[Offer], Any]] = {
        "lowest-price": lambda one: (one.unit_price, -one.depth),
        "prioritized": lambda one: (one.priority, one.unit_price),
        "capacity-optimized": by_capacity,
        # "implements the priorities on a best-effort basis, but optimizes for capacity first": among pools that have
        # all that is wanted, capacity makes no difference.
        "capacity-optimized-prioritized": lambda one: (
            (0, one.priority, one.unit_price) if enough(one) else (1, *by_capacity(one))
        ),
        # "identifies the pools with the highest capacity availability for the number of instances that are launching
        # … then requests Spot Instances from the lowest priced of these pools".
        "price-capacity-optimized": lambda one: (
            (0, one.unit_price) if enough(one) or one.depth * one.weight * 2 >= deepest else (1, *by_capacity(one))
        ),
        "diversified": lambda one: (one.unit_price, -one.depth),
    }
    return sorted(offers, key=orders[name])


def fill(offers: Sequence[Offer], units: int, name: str) -> list[Launch]:
    """Launches for ``units`` of capacity; fewer when the pools have not as much.

    "Amazon EMR provisions instances until the target capacity is totally fulfilled, even if this results in an
    overage": the last instance may be larger than what is left, when none fits.
    """
    if units <= 0:
        return []
    best = ordered(offers, units, name)
    taken = spread(best, units) if name == "diversified" else in_turn(best, units)
    left = units - sum(one.weight * count for one, count in taken.items())
    if left > 0:
        spare = [one for one in best if one.depth > taken[one]]
        if spare:  # none of them fits: the one that exceeds the target least
            taken[min(spare, key=lambda one: one.weight)] += 1
    return [one.launch() for one in best for _ in range(taken[one])]


def in_turn(best: Sequence[Offer], units: int) -> Counter[Offer]:
    """As many as fit of the best, then of the next."""
    taken: Counter[Offer] = Counter()
    for one in best:
        taken[one] = min(one.depth, units // one.weight)
        units -= taken[one] * one.weight
    return taken


def spread(best: Sequence[Offer], units: int) -> Counter[Offer]:
    """One of each in turns, while they fit."""
    taken: Counter[Offer] = Counter()
    while True:
        before = units
        for one in best:
            if one.weight <= units and taken[one] < one.depth:
                taken[one] += 1
                units -= one.weight
        if units == before:
            return taken


def surplus(
    fleet: Fleet,
    there: Iterable[Instance],
    market: Market,
    zone: str,
    at: float | None = None,
    *,
    switched: bool = False,
) -> list[Instance]:
    """The instances to give back so that no market has more than its target needs: never fewer units than the target.

    First those that are not running yet, then the dearest per unit, of equals the youngest.
    """
    living = [one for one in there if not one.over]
    units, found = provisioned(living), []
    targets = {ON_DEMAND: fleet.target_on_demand, SPOT: fleet.target_spot}
    if switched:
        targets[ON_DEMAND] += max(0, fleet.target_spot - units[SPOT])

    def dear(one: Instance) -> tuple[bool, float, float]:
        usd = market.price(one.instance_type, zone, at) if one.market == SPOT else None
        if one.market == ON_DEMAND and (listed := prices.price(one.instance_type)):
            usd = listed.on_demand
        return one.state == "RUNNING", -(usd or 0.0) / one.weight, -one.created

    for one in sorted(living, key=dear):
        if units[one.market] - one.weight >= targets[one.market]:
            units[one.market] -= one.weight
            found.append(one)
    return found


def best_zone(fleets: Sequence[Fleet], zones: Sequence[str], market: Market, at: float | None = None) -> str:
    """The one Availability Zone for all of a new cluster's fleets: where most can be had now, then the cheapest."""

    def fit(zone: str) -> tuple[int, float]:
        missing, usd = 0, 0.0
        for fleet in fleets:
            launches = allocate(fleet, [], market, zone, at)
            missing += max(0, fleet.target_on_demand + fleet.target_spot - sum(one.weight for one in launches))
            for one in launches:
                listed = prices.price(one.instance_type)
                spot = market.price(one.instance_type, zone, at) if one.market == SPOT else None
                usd += spot if spot is not None else listed.on_demand if listed else 0.0
        return missing, usd

    return min(zones, key=fit)
