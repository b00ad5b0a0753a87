"""The allocation logic of instance fleets alone: a fleet of 1,000 instances, without processes."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from emrlab.clock import Clock
from emrlab.emr.market.allocation import allocate, surplus
from emrlab.emr.market.lab_time import LabTime
from emrlab.emr.market.prices import types
from emrlab.emr.market.spot_market import Market
from emrlab.emr.records import Fleet, Instance
from emrlab.home import Home

from .table import Row

TIMES = 5
INSTANCES = 1000
STRATEGIES = (
    *("capacity-optimized", "price-capacity-optimized", "lowest-price", "diversified"),
    "capacity-optimized-prioritized",
)


def rows(say: Callable[[str], None]) -> list[Row]:
    say("a fleet's allocation")
    with tempfile.TemporaryDirectory(prefix="emrlab-bench-") as folder:
        home = Home(Path(folder))
        market = Market("bench", LabTime(home.region / "lab-time.json", Clock(home)))
        return [
            Row(
                f"A fleet of 1,000 instances of 30 types, {len(STRATEGIES)} strategies: the slowest allocates",
                [max(seconds(market, strategy) for strategy in STRATEGIES) for _ in range(TIMES)],
                aim=2.0,
            )
        ]


def seconds(market: Market, strategy: str) -> float:
    """All launches, and half of them given back."""
    names = sorted(types())[:30]
    fleet = Fleet(
        id="if-1", cluster="j", state="RUNNING", name="", role="CORE",
        target_on_demand=INSTANCES // 2, target_spot=INSTANCES // 2,
        types=[{"InstanceType": name, "Priority": float(at % 3)} for at, name in enumerate(names)],
        launch={"SpotSpecification": {"AllocationStrategy": strategy}},
    )  # fmt: skip
    begun = time.perf_counter()
    launches = allocate(fleet, [], market, "us-east-1a")
    spent = time.perf_counter() - begun
    if len(launches) != INSTANCES:
        raise RuntimeError(f"{len(launches)} of {INSTANCES} instances")
    there = [
        Instance(
            id=f"ci-{at}", cluster="j", state="RUNNING", group="if-1", ec2=f"i-{at}",
            instance_type=one.instance_type, market=one.market, weight=one.weight, bid=one.bid,
        )
        for at, one in enumerate(launches)
    ]  # fmt: skip
    fleet.target_on_demand = fleet.target_spot = INSTANCES // 4
    begun = time.perf_counter()
    given = surplus(fleet, there, market, "us-east-1a")
    if len(given) != INSTANCES // 2:
        raise RuntimeError(f"{len(given)} given back")
    return spent + time.perf_counter() - begun
