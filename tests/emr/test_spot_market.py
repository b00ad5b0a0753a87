"""The spot market: the same seed, the same prices; and how they move."""

from __future__ import annotations

import itertools
import time
from pathlib import Path
from statistics import mean

import pytest

from emrlab.clock import Clock
from emrlab.emr.market import lab_time, spot_market
from emrlab.emr.market.lab_time import LabTime
from emrlab.emr.market.prices import price, types
from emrlab.emr.market.spot_market import SEED, SLOT, Market, zones
from emrlab.home import Home

ZONE = "us-east-1a"
DAY = 48  # slots


@pytest.fixture
def place(tmp_path: Path) -> Home:
    return Home(tmp_path)


def opened(place: Home) -> Market:
    """The market as a new process of this home finds it."""
    spot_market.market.cache_clear()
    return spot_market.market(place)


@pytest.fixture
def market(place: Home, monkeypatch: pytest.MonkeyPatch) -> Market:
    monkeypatch.setenv(SEED, "tests")
    return opened(place)


def lab_days(market: Market, kind: str, days: int, zone: str = ZONE) -> list[float]:
    return [market.slot_price(kind, zone, slot) or 0.0 for slot in range(days * DAY)]


def test_a_restart_changes_no_price(place, monkeypatch):
    monkeypatch.delenv(SEED, raising=False)
    first, now = opened(place), time.time()
    before = [first.price("m5.xlarge", ZONE, now - hours * 3600) for hours in range(100)]
    again = opened(place)
    assert again is not first
    assert [again.price("m5.xlarge", ZONE, now - hours * 3600) for hours in range(100)] == before


def test_homes_differ_unless_the_seed_is_given(tmp_path, monkeypatch):
    homes = [Home(tmp_path / name) for name in ("one", "two")]
    monkeypatch.delenv(SEED, raising=False)
    assert lab_days(opened(homes[0]), "m5.xlarge", 2) != lab_days(opened(homes[1]), "m5.xlarge", 2)
    monkeypatch.setenv(SEED, "42")
    assert lab_days(opened(homes[0]), "m5.xlarge", 2) == lab_days(opened(homes[1]), "m5.xlarge", 2)


def test_types_and_zones_have_prices_of_their_own(market):
    found = [market.price(kind, zone) for kind in ("m5.xlarge", "m5a.xlarge") for zone in zones("us-east-1")]
    assert len(set(found)) == 6


@pytest.mark.parametrize("kind", ["m5.xlarge", "c5.4xlarge", "r5b.2xlarge", "d2.xlarge", "i3.8xlarge"])
def test_prices_always_come_back_to_the_types_usual_share(market, kind):
    usual = price(kind).spot_share * price(kind).on_demand
    for month in range(3):
        found = [market.slot_price(kind, ZONE, slot) for slot in range(month * 30 * DAY, (month + 1) * 30 * DAY)]
        assert mean(found) == pytest.approx(usual, rel=0.35)
    quiet = sorted(lab_days(market, kind, 90))[: 85 * DAY]
    assert max(quiet) < price(kind).on_demand


def test_now_and_then_a_default_bid_is_too_low_and_more_often_where_interruptions_are_frequent(market):
    def above(interruptions: str) -> float:
        """How often prices of some types are far above their usual share."""
        kinds = [kind for kind, told in types().items() if told.interruptions == interruptions][:8]
        return mean(found > 0.75 * price(kind).on_demand for kind in kinds for found in lab_days(market, kind, 120))

    assert 0 < above("<5%") < above(">20%") < 0.05


def test_history_is_the_price_at_every_moment(market):
    now = time.time()
    start = now - 6 * 3600
    changes = market.history("m5.xlarge", ZONE, start, now)
    assert changes[0].at <= start < changes[1].at
    assert changes[-1].at <= now
    assert all(left.at < right.at and left.price != right.price for left, right in itertools.pairwise(changes))
    for change in changes[1:]:
        assert market.price("m5.xlarge", ZONE, change.at + 0.01) == change.price
    for left, right in itertools.pairwise(changes[1:]):
        assert market.price("m5.xlarge", ZONE, (left.at + right.at) / 2) == left.price


def test_the_next_crossing_is_the_first_price_above_the_bid(market):
    now, bid = time.time(), 0.9 * price("m5.xlarge").on_demand
    crossing = market.next_crossing("m5.xlarge", ZONE, bid, now)
    assert crossing is not None
    assert market.price("m5.xlarge", ZONE, crossing + 0.01) > bid
    slots = range(market.slot(now), market.slot(crossing + 0.01))
    assert all(market.slot_price("m5.xlarge", ZONE, slot) <= bid for slot in slots)
    assert market.next_crossing("m5.xlarge", ZONE, 1000.0, now) is None
    assert market.next_crossing("m5.xlarge", ZONE, 0.0, now) == now


def test_dear_pools_are_shallow_and_large_instances_are_few(market):
    pairs = [(market.slot_price("m5.xlarge", ZONE, slot), market.begin(slot) + 0.01) for slot in range(30 * DAY)]
    pairs.sort()
    cheap, dear = pairs[: DAY // 2], pairs[-DAY // 2 :]
    depth = [mean(market.depth("m5.xlarge", ZONE, at) for _, at in some) for some in (cheap, dear)]
    assert depth[0] > 1.5 * depth[1]
    assert market.depth("m5.24xlarge", ZONE) < market.depth("m5.xlarge", ZONE)


def test_a_type_without_a_price_has_no_market(market):
    assert market.price("m5.humongous", ZONE) is None
    assert market.depth("m5.humongous", ZONE) == 0
    assert market.history("m5.humongous", ZONE, 0) == []
    assert market.cost("m5.humongous", ZONE, 0, 60) is None


class Calendar:
    """Lab time with true moments that the test sets."""

    def __init__(self, place: Home, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(lab_time.time, "time", lambda: self.now)
        self.place, self.clock = place, Clock(place)
        self.clock.set(10)
        self.found = self.opened()

    def opened(self) -> LabTime:
        return LabTime(self.place.region / "lab-time.json", self.clock)


@pytest.fixture
def calendar(place: Home, monkeypatch: pytest.MonkeyPatch) -> Calendar:
    return Calendar(place, monkeypatch)


def test_lab_time_runs_as_fast_as_the_lab_clock(calendar):
    assert [calendar.found.lab(moment) for moment in (1000, 1060, 940)] == [0, 600, -600]


def test_a_new_factor_leaves_the_past_as_it_was(calendar):
    calendar.now = 1100.0
    assert calendar.found.lab(1100) == 1000
    calendar.clock.set(100)
    assert calendar.found.lab(1100) == 1000
    calendar.now = 1200.0
    for found in (calendar.found, calendar.opened()):
        assert [found.lab(moment) for moment in (1000, 1050, 1100, 1110)] == [0, 500, 1000, 2000]
        assert [found.true(moment) for moment in (500, 2000, SLOT)] == [1050, 1110, 1108]


def test_a_disk_that_refuses_the_calendar_stops_no_price(calendar, monkeypatch):
    def refuse(*arguments: object, **more: object) -> None:
        raise OSError("No space left on device")

    calendar.now = 1100.0
    calendar.clock.set(100)
    monkeypatch.setattr(lab_time.Path, "write_text", refuse)
    assert [calendar.found.lab(moment) for moment in (1100, 1110)] == [1000, 2000]
