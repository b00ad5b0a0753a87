"""The spot market of this home: prices and spare capacity of every instance type in every Availability Zone.

A price is a function of the home's seed and of lab time alone: constant for half a lab hour at a time, around what
AWS's Spot Instance Advisor tells of the type (30 to 88 % below on-demand), and now and then, more often for types that
the Advisor calls often interrupted, far above it for a while, so that a bid is too low. Spikes are about five times as
frequent as the Advisor's interruptions: a lab has hours, not months.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ...clock import Clock
from ...home import Home
from ..instance_types import all_types
from .lab_time import LabTime
from .prices import price as listed

SEED = "EMRLAB_SPOT_SEED"
LETTERS = "abc"  # the zones that EC2 has here
SLOT = 1800.0  # lab seconds that a price stays
# Each octave of the noise: how many slots it swings over, and its weight. The slow ones are smooth.
OCTAVES = ((1, 0.15), (6, 0.2), (24, 0.3), (96, 0.35))
SWING = 0.3  # the price at most e**0.3 above or below its usual share
CEILING = 0.95  # of on-demand, without a spike
SPIKE_SLOTS = 24  # at most one spike in half a lab day …
SPIKE_CHANCE = {"<5%": 0.005, "5-10%": 0.012, "10-15%": 0.02, "15-20%": 0.03, ">20%": 0.045}  # … with this chance
SPIKE_LONGEST = 6
SPIKE_HIGHEST = 1.15  # of on-demand
POOL_VCPUS = 6000  # spare vCPUs of a pool that is rarely interrupted
DEPTH = {"<5%": 1.0, "5-10%": 0.8, "10-15%": 0.65, "15-20%": 0.5, ">20%": 0.35}
HORIZON = 90 * 48  # slots that ``next_crossing`` looks ahead: 90 lab days
MASK = (1 << 64) - 1


class PricePoint(NamedTuple):
    """A price and since when it holds (seconds since 1970)."""

    at: float
    price: float


class Market:
    """Prices and depths at true moments (seconds since 1970); how fast they move is the lab clock's doing."""

    def __init__(self, seed: str, lab_time: LabTime) -> None:
        self.seed, self.time = seed, lab_time

    def price(self, instance_type: str, zone: str, at: float | None = None) -> float | None:
        """USD per hour; None for a type without a published on-demand price."""
        return self.slot_price(instance_type, zone, self.slot(at))

    def depth(self, instance_type: str, zone: str, at: float | None = None) -> int:
        """How many more instances the pool can give: what capacity-optimized allocation looks at."""
        price = listed(instance_type)
        if price is None:
            return 0
        pool, slot = key(self.seed, instance_type, zone), self.slot(at)
        usual = POOL_VCPUS / all_types()[instance_type].capacity.vcpu * DEPTH[price.interruptions]
        usual *= 0.6 + 0.8 * uniform(pool, 101, 0)
        if spike(pool, slot, price.interruptions):
            return int(usual * 0.03)
        # Dear is what few are left of: the price's own noise, turned round.
        return max(1, int(usual * (1 - 0.6 * noise(pool, slot))))

    def history(self, instance_type: str, zone: str, start: float, end: float | None = None) -> list[PricePoint]:
        """The changes from ``start`` to ``end``, oldest first; the first is the price in force at ``start``."""
        found = []
        for point in self.backwards(instance_type, zone, end):
            found.append(point)
            if point.at <= start:
                break
        return found[::-1]

    def backwards(self, instance_type: str, zone: str, end: float | None = None) -> Iterator[PricePoint]:
        """The changes before ``end``, newest first, without an end."""
        slot = self.slot(end)
        current = self.slot_price(instance_type, zone, slot)
        if current is None:
            return
        while True:
            before = self.slot_price(instance_type, zone, slot - 1)
            assert before is not None
            if before != current:
                yield PricePoint(self.begin(slot), current)
                current = before
            slot -= 1

    def cost(self, instance_type: str, zone: str, start: float, end: float) -> float | None:
        """USD for one instance from ``start`` to ``end``, at the prices that held meanwhile."""
        total, moment, slot = 0.0, start, self.slot(start)
        while moment < end:
            price = self.slot_price(instance_type, zone, slot)
            if price is None:
                return None
            until = min(end, max(moment, self.begin(slot + 1)))
            total += (until - moment) / 3600 * price
            moment, slot = until, slot + 1
        return total

    def next_crossing(self, instance_type: str, zone: str, bid: float, after: float | None = None) -> float | None:
        """When the price is above ``bid`` for the first time from ``after`` on, if the lab clock stays as it is.

        None: not within 90 lab days.
        """
        moment = time.time() if after is None else after
        first = self.slot(moment)
        for slot in range(first, first + HORIZON):
            price = self.slot_price(instance_type, zone, slot)
            if price is not None and price > bid:
                return max(moment, self.begin(slot))
        return None

    def slot(self, moment: float | None) -> int:
        return math.floor(self.time.lab(time.time() if moment is None else moment) / SLOT)

    def begin(self, slot: int) -> float:
        return self.time.true(slot * SLOT)

    def slot_price(self, instance_type: str, zone: str, slot: int) -> float | None:
        price = listed(instance_type)
        if price is None:
            return None
        pool = key(self.seed, instance_type, zone)
        share = price.spot_share * (0.9 + 0.2 * uniform(pool, 100, 0))  # zones differ
        share = min(CEILING, share * math.exp(SWING * noise(pool, slot)))
        if height := spike(pool, slot, price.interruptions):
            share += (SPIKE_HIGHEST - share) * height
        return round(price.on_demand * share, 4)


def zones(region: str) -> list[str]:
    return [region + letter for letter in LETTERS]


@functools.cache
def market(home: Home) -> Market:
    """The market of a home: its seed is in the home, unless ``EMRLAB_SPOT_SEED`` says another."""
    seed = os.environ.get(SEED) or kept_seed(home.region / "spot-market.json")
    return Market(seed, LabTime(home.region / "lab-time.json", Clock(home)))


def kept_seed(file: Path) -> str:
    try:
        return str(json.loads(file.read_text())["seed"])
    except (OSError, ValueError, KeyError, TypeError):
        seed = secrets.token_hex(8)
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_suffix(".new")
        temporary.write_text(json.dumps({"seed": seed}))
        temporary.replace(file)
        return seed


# Randomness that needs no memory: the same arguments give the same number, however one gets there.


@functools.lru_cache(maxsize=4096)
def key(seed: str, instance_type: str, zone: str) -> int:
    return int.from_bytes(hashlib.blake2b(f"{seed}/{instance_type}/{zone}".encode(), digest_size=8).digest(), "big")


def uniform(pool: int, stream: int, index: int) -> float:
    """From 0 to 1 (splitmix64)."""
    mixed = (pool + (stream + 1) * 0xD1B54A32D192ED03 + index * 0x9E3779B97F4A7C15) & MASK
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & MASK
    return ((mixed ^ (mixed >> 31)) >> 11) / (1 << 53)


def noise(pool: int, slot: int) -> float:
    """From -1 to 1, around 0: sums of smooth curves through random points, so that it always comes back."""
    total = 0.0
    for stream, (period, weight) in enumerate(OCTAVES):
        index, within = divmod(slot, period)
        left = uniform(pool, stream, index)
        if within:
            bend = within / period
            bend *= bend * (3 - 2 * bend)
            left += (uniform(pool, stream, index + 1) - left) * bend
        total += weight * (2 * left - 1)
    return total


def spike(pool: int, slot: int, interruptions: str) -> float:
    """How high the price is between its usual share (0) and the highest (1); 0 without a spike."""
    block, within = divmod(slot, SPIKE_SLOTS)
    if uniform(pool, 200, block) >= SPIKE_CHANCE[interruptions]:
        return 0.0
    longest = 1 + int(uniform(pool, 201, block) * SPIKE_LONGEST)
    first = int(uniform(pool, 202, block) * (SPIKE_SLOTS - longest + 1))
    if not first <= within < first + longest:
        return 0.0
    return 0.4 + 0.6 * uniform(pool, 203, block)
