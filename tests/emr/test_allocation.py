"""Which instances a fleet launches and gives back. Seeded random fleets, and the strategies one by one."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from emrlab.clock import Clock
from emrlab.emr.market.allocation import (
    ON_DEMAND,
    SPOT,
    Launch,
    Offer,
    allocate,
    best_zone,
    bid,
    fill,
    needed,
    offers,
    ordered,
    strategy,
    surplus,
)
from emrlab.emr.market.lab_time import LabTime
from emrlab.emr.market.prices import price, types
from emrlab.emr.market.spot_market import Market, zones
from emrlab.emr.records import Fleet, Instance
from emrlab.emr.requests import fleet_request
from emrlab.errors import AwsError
from emrlab.home import Home

ZONE = "us-east-1a"
SPOT_STRATEGIES = (
    *("capacity-optimized", "price-capacity-optimized", "lowest-price", "diversified"),
    "capacity-optimized-prioritized",
)


@pytest.fixture
def market(tmp_path: Path) -> Market:
    return Market("tests", LabTime(tmp_path / "lab-time.json", Clock(Home(tmp_path))))


def fleet(on_demand: int = 0, spot: int = 0, *configs: Any, role: str = "CORE", **more: Any) -> Fleet:
    """Instance types as names, ``(name, weight)`` or whole InstanceTypeConfigs."""
    full = [
        one if isinstance(one, dict)
        else {"InstanceType": one} if isinstance(one, str)
        else {"InstanceType": one[0], "WeightedCapacity": one[1]}
        for one in configs
    ]  # fmt: skip
    return Fleet(
        id="if-1", cluster="j", state="RUNNING", name="", role=role, target_on_demand=on_demand, target_spot=spot,
        types=full, **more,
    )  # fmt: skip


def by(name: str, kind: str = SPOT) -> dict[str, Any]:
    key = "SpotSpecification" if kind == SPOT else "OnDemandSpecification"
    return {key: {"AllocationStrategy": name}}


def born(launches: list[Launch], state: str = "RUNNING") -> list[Instance]:
    return [
        Instance(
            id=f"ci-{number}", cluster="j", state=state, group="if-1", ec2=f"i-{number}", role="CORE",
            instance_type=one.instance_type, market=one.market, weight=one.weight, bid=one.bid, created=float(number),
        )
        for number, one in enumerate(launches)
    ]  # fmt: skip


def units(launches: Any, kind: str) -> int:
    return sum(one.weight for one in launches if one.market == kind)


def chosen(launches: list[Launch]) -> Counter[str]:
    return Counter(one.instance_type for one in launches)


# Whatever the fleet


@pytest.mark.parametrize("seed", range(60))
def test_targets_are_met_never_by_more_than_one_instance_too_many_and_bids_hold(market, seed):
    chance = random.Random(seed)
    configs = []
    for name in chance.sample(sorted(types()), chance.randint(1, 30)):
        config: dict[str, Any] = {"InstanceType": name, "WeightedCapacity": chance.randint(1, 16)}
        how = chance.random()
        if how < 0.3:
            config["BidPrice"] = f"{chance.uniform(0.01, 2):.3f}"
        elif how < 0.6:
            config["BidPriceAsPercentageOfOnDemandPrice"] = chance.uniform(10, 120)
        if chance.random() < 0.5:
            config["Priority"] = float(chance.randint(0, 3))
        configs.append(config)
    launch = by(chance.choice(SPOT_STRATEGIES)) | by(chance.choice(["lowest-price", "prioritized"]), ON_DEMAND)
    wanted = fleet(chance.randint(0, 60), chance.randint(0, 60), *configs, launch=launch)
    at = 1_700_000_000.0 + chance.randint(0, 10**7)
    launches = allocate(wanted, [], market, ZONE, at)
    largest = max(one["WeightedCapacity"] for one in configs)

    on_demand, spot = units(launches, ON_DEMAND), units(launches, SPOT)
    assert wanted.target_on_demand <= on_demand < wanted.target_on_demand + largest
    pools = offers(wanted, SPOT, market, ZONE, at)
    assert spot >= min(wanted.target_spot, sum(one.depth * one.weight for one in pools))
    assert spot < wanted.target_spot + largest
    for one in launches:
        if one.market == SPOT:
            assert one.bid is not None
            assert market.price(one.instance_type, ZONE, at) <= one.bid
    for one in pools:
        assert sum(made.instance_type == one.instance_type for made in launches if made.market == SPOT) <= one.depth
    # What is there already is not launched again; nothing of it is too much.
    there = born(launches)
    if spot >= wanted.target_spot:
        assert allocate(wanted, there, market, ZONE, at) == []
    assert surplus(wanted, there, market, ZONE, at) == []


@pytest.mark.parametrize("seed", range(40))
def test_shrinking_gives_back_all_that_is_too_much_and_nothing_that_is_needed(market, seed):
    chance = random.Random(seed)
    names = chance.sample(sorted(types()), 5)
    before = fleet(chance.randint(20, 80), chance.randint(20, 80), *[(name, chance.randint(1, 9)) for name in names])
    there = born(allocate(before, [], market, ZONE, 1.7e9))
    after = fleet(chance.randint(0, 20), chance.randint(0, 20), *before.types)
    given = surplus(after, there, market, ZONE, 1.7e9)
    kept = [one for one in there if one not in given]
    for kind, target in ((ON_DEMAND, after.target_on_demand), (SPOT, after.target_spot)):
        assert units(kept, kind) >= min(target, units(there, kind))
        assert all(units(kept, kind) - one.weight < target for one in kept if one.market == kind)


def test_the_same_moment_gives_the_same_allocation(market):
    wanted = fleet(10, 30, ("m5.xlarge", 4), ("r5.xlarge", 4), ("c5.2xlarge", 8))
    assert allocate(wanted, [], market, ZONE, 1.7e9) == allocate(wanted, [], market, ZONE, 1.7e9)


# The over-provision rule


def test_an_overage_only_when_nothing_fits():
    only_five = Offer("m5.4xlarge", ON_DEMAND, 5, 0.768)
    assert [one.weight for one in fill([only_five], 12, "lowest-price")] == [5, 5, 5]  # 3 units too many
    with_one = [only_five, Offer("m5.xlarge", ON_DEMAND, 1, 9.0)]
    assert Counter(one.weight for one in fill(with_one, 12, "lowest-price")) == {5: 2, 1: 2}
    with_four = [only_five, Offer("m5.xlarge", ON_DEMAND, 4, 9.0)]
    assert Counter(one.weight for one in fill(with_four, 12, "lowest-price")) == {5: 2, 4: 1}


def test_nothing_is_launched_for_no_target():
    assert fill([Offer("m5.xlarge", ON_DEMAND, 1, 0.192)], 0, "lowest-price") == []
    assert fill([], 5, "lowest-price") == []


# The strategies

POOLS = [
    Offer("m5.xlarge", SPOT, 1, 0.06, depth=10, priority=2),
    Offer("r5.xlarge", SPOT, 1, 0.08, depth=90, priority=1),
    Offer("c5.xlarge", SPOT, 1, 0.07, depth=80, priority=0),
    Offer("i3.xlarge", SPOT, 1, 0.12, depth=100),
]


@pytest.mark.parametrize(
    ("name", "units", "first"),
    [
        ("lowest-price", 5, "m5.xlarge"),
        ("capacity-optimized", 5, "i3.xlarge"),
        ("price-capacity-optimized", 5, "m5.xlarge"),  # all have enough for 5
        ("price-capacity-optimized", 50, "c5.xlarge"),  # the cheapest has not
        ("capacity-optimized-prioritized", 50, "c5.xlarge"),
        ("capacity-optimized-prioritized", 95, "i3.xlarge"),  # capacity before priority
    ],
)
def test_what_a_strategy_takes_first(name, units, first):
    assert ordered(POOLS, units, name)[0].instance_type == first


def test_a_pool_that_is_empty_is_followed_by_the_next():
    assert chosen(fill(POOLS, 30, "lowest-price")) == {"m5.xlarge": 10, "c5.xlarge": 20}


def test_diversified_takes_some_of_each():
    assert chosen(fill(POOLS, 40, "diversified")) == {one.instance_type: 10 for one in POOLS}
    assert chosen(fill(POOLS, 70, "diversified"))["m5.xlarge"] == 10  # it has no more
    assert len(fill(POOLS, 70, "diversified")) == 70


def test_more_than_there_is_cannot_be_had():
    assert len(fill(POOLS, 1000, "capacity-optimized")) == 280


def test_price_counts_per_unit_not_per_instance(market):
    cheap = fleet(16, 0, ("m5.xlarge", 1), ("m5.4xlarge", 8))
    assert chosen(allocate(cheap, [], market, ZONE)) == {"m5.4xlarge": 2}


def test_prioritized_begins_with_0_and_ends_with_those_without(market):
    configs = [
        {"InstanceType": "c5.xlarge"},
        {"InstanceType": "m5.xlarge", "Priority": 1.0},
        {"InstanceType": "r5.xlarge", "Priority": 0.0},
    ]
    wanted = fleet(3, 0, *configs, launch=by("prioritized", ON_DEMAND))
    assert chosen(allocate(wanted, [], market, ZONE)) == {"r5.xlarge": 3}
    assert [one.instance_type for one in ordered(offers(wanted, ON_DEMAND, market, ZONE), 3, "prioritized")] == [
        *("r5.xlarge", "m5.xlarge", "c5.xlarge")
    ]


def test_a_resize_has_a_strategy_of_its_own_or_the_launchs():
    wanted = fleet(0, 1, "m5.xlarge", launch=by("diversified"))
    assert strategy(wanted, SPOT, resizing=True) == "diversified"
    wanted.resize = {"SpotResizeSpecification": {"AllocationStrategy": "lowest-price"}}
    assert [strategy(wanted, SPOT, resizing) for resizing in (False, True)] == ["diversified", "lowest-price"]
    assert strategy(fleet(), ON_DEMAND, resizing=True) == "lowest-price"
    assert strategy(fleet(), SPOT, resizing=False) == "price-capacity-optimized"


# Bids


def test_a_bid_is_an_amount_a_percentage_or_the_on_demand_price():
    assert bid({"InstanceType": "m5.xlarge", "BidPrice": "0.05"}) == 0.05
    assert bid({"InstanceType": "m5.xlarge", "BidPriceAsPercentageOfOnDemandPrice": 50.0}) == pytest.approx(0.096)
    assert bid({"InstanceType": "m5.xlarge"}) == price("m5.xlarge").on_demand


def test_a_bid_below_the_market_gets_nothing(market):
    low = {"InstanceType": "m5.xlarge", "BidPrice": "0.001"}
    assert allocate(fleet(0, 3, low), [], market, ZONE) == []
    assert chosen(allocate(fleet(0, 3, low, "c5.xlarge"), [], market, ZONE, 1.7e9)) == {"c5.xlarge": 3}


def test_after_the_timeout_on_demand_takes_the_place_of_spot(market):
    low = {"InstanceType": "m5.xlarge", "BidPrice": "0.001", "WeightedCapacity": 2}
    wanted = fleet(2, 5, low)
    first = allocate(wanted, [], market, ZONE)
    assert (units(first, ON_DEMAND), units(first, SPOT)) == (2, 0)
    then = allocate(wanted, born(first), market, ZONE, switched=True)
    assert (units(then, ON_DEMAND), units(then, SPOT)) == (6, 0)
    there = born(first + then)
    assert needed(wanted, there, switched=True) == {ON_DEMAND: 0, SPOT: 0}
    assert surplus(wanted, there, market, ZONE, switched=True) == []
    assert units(surplus(wanted, there, market, ZONE), ON_DEMAND) == 6


# What is there already, and what goes


def test_only_the_living_count(market):
    there = born([Launch("m5.xlarge", ON_DEMAND, 1)] * 3)
    there[0].state = "TERMINATED"
    assert len(allocate(fleet(3, 0, "m5.xlarge"), there, market, ZONE)) == 1


def test_those_that_do_not_run_yet_go_first_then_the_dearest_then_the_youngest(market):
    there = born([Launch(name, ON_DEMAND, 1) for name in ("m5.xlarge", "r5.xlarge", "m5.xlarge", "m5.xlarge")])
    there[0].state = "PROVISIONING"
    gone = [[one.id for one in surplus(fleet(target, 0, "m5.xlarge"), there, market, ZONE)] for target in (3, 2, 1)]
    assert gone == [["ci-0"], ["ci-0", "ci-1"], ["ci-0", "ci-1", "ci-3"]]


def test_a_master_fleet_is_one_instance_whatever_it_weighs(market):
    wanted = fleet(1, 0, ("m5.xlarge", 7), ("r5.xlarge", 7), role="MASTER")
    assert allocate(wanted, [], market, ZONE) == [Launch("m5.xlarge", ON_DEMAND, 1)]


def test_the_zone_is_the_one_where_most_can_be_had_for_least(market):
    wanted = fleet(0, 20, "m5.xlarge")
    found = best_zone([wanted], zones("us-east-1"), market, 1.7e9)
    assert market.price("m5.xlarge", found, 1.7e9) == min(
        market.price("m5.xlarge", zone, 1.7e9) for zone in zones("us-east-1")
    )


# What is refused


def asked(role: str = "CORE", **more: Any) -> dict[str, Any]:
    return {
        "InstanceFleetType": role,
        "TargetOnDemandCapacity": 1,
        "InstanceTypeConfigs": [{"InstanceType": "m5.xlarge"}],
        **more,
    }


def typed(**more: Any) -> dict[str, Any]:
    return {"InstanceTypeConfigs": [{"InstanceType": "m5.xlarge", **more}]}


SIX = [{"InstanceType": f"m5.{size}xlarge"} for size in ("", 2, 4, 8, 12, 16)]
TIMEOUT = {"TimeoutDurationMinutes": 10, "TimeoutAction": "TERMINATE_CLUSTER"}


@pytest.mark.parametrize(
    ("told", "message"),
    [
        (asked("MASTER", TargetOnDemandCapacity=2), "its value must be 1"),
        (asked("MASTER", TargetSpotCapacity=1), "only one of TargetSpotCapacity and TargetOnDemandCapacity"),
        (asked(TargetOnDemandCapacity=0), "At least one of TargetSpotCapacity and TargetOnDemandCapacity"),
        (asked(InstanceTypeConfigs=[]), "needs InstanceTypeConfigs"),
        (asked(InstanceTypeConfigs=SIX), "has 6 instance types, and may have 5"),
        (asked(InstanceTypeConfigs=[{"InstanceType": "m5.xlarge"}] * 2), "more than once"),
        (asked(**typed(WeightedCapacity=0)), "WeightedCapacity must be 1 or greater"),
        (asked("MASTER", **typed(WeightedCapacity=2)), "WeightedCapacity is 1 for a master"),
        (
            asked(**typed(BidPrice="1", BidPriceAsPercentageOfOnDemandPrice=5.0)),
            "Specify at most one of bidPrice or bidPriceAsPercentageOfOnDemandPrice value",
        ),
        (asked(**typed(BidPrice="cheap")), "BidPrice 'cheap' is not valid"),
        (asked(**typed(BidPrice="nan")), "BidPrice 'nan' is not valid"),
        (asked(InstanceTypeConfigs=[{"InstanceType": "m5.humongous"}]), "m5.humongous"),
        (
            asked(LaunchSpecifications={"SpotSpecification": {**TIMEOUT, "TimeoutDurationMinutes": 4}}),
            "from 5 to 1440, not 4",
        ),
        (
            asked(LaunchSpecifications={"SpotSpecification": {**TIMEOUT, "BlockDurationMinutes": 60}}),
            "no longer available",
        ),
        (
            asked(ResizeSpecifications={"OnDemandResizeSpecification": {"TimeoutDurationMinutes": 10081}}),
            "from 5 to 10080, not 10081",
        ),
    ],
)
def test_what_emr_does_not_take_is_refused(told, message):
    with pytest.raises(AwsError, match=message) as refused:
        fleet_request.fleet("j", told, [])
    assert refused.value.code == "ValidationException"


def test_an_allocation_strategy_allows_30_types():
    with_strategy = {"OnDemandSpecification": {"AllocationStrategy": "lowest-price"}}
    found = fleet_request.fleet("j", asked(InstanceTypeConfigs=SIX, LaunchSpecifications=with_strategy), [])
    assert (len(found.types), found.state, found.id[:3]) == (6, "PROVISIONING", "if-")
    many = [{"InstanceType": name} for name in sorted(types())[:31]]
    with pytest.raises(AwsError, match="has 31 instance types, and may have 30"):
        fleet_request.fleet("j", asked(InstanceTypeConfigs=many, LaunchSpecifications=with_strategy), [])


@pytest.mark.parametrize(
    ("roles", "message"),
    [
        (["MASTER", "CORE", "CORE"], "one instance fleet per node type"),
        (["CORE"], "exactly one master"),
        (["MASTER", "TASK"], "needs a core instance fleet"),
    ],
)
def test_one_fleet_per_node_type(roles, message):
    with pytest.raises(AwsError, match=message):
        fleet_request.fleets("j", [asked(role) for role in roles], [])
    assert [one.role for one in fleet_request.fleets("j", [asked("MASTER"), asked("CORE")], [])] == ["MASTER", "CORE"]
