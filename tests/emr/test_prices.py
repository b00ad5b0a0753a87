"""Prices as AWS lists them, and bills by the second."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from emrlab.clock import Clock
from emrlab.emr.history import History
from emrlab.emr.instance_types import all_types
from emrlab.emr.market import costs, costs_told, prices, spot_market
from emrlab.emr.market.costs import Bill, Cost
from emrlab.emr.market.lab_time import LabTime
from emrlab.emr.market.prices import MONTH, Volume
from emrlab.emr.market.spot_market import Market
from emrlab.emr.records import Cluster, Group, Instance, Step
from emrlab.home import Home

THEN = 1_700_000_000.0
ZONE = "us-east-1a"


@pytest.fixture(autouse=True)
def seeded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A market that is quiet at its beginning."""
    monkeypatch.setenv(spot_market.SEED, "tests")


@pytest.fixture
def market(tmp_path: Path) -> Market:
    return Market("tests", LabTime(tmp_path / "lab-time.json", Clock(Home(tmp_path))))


@pytest.fixture
def bill(market: Market) -> Bill:
    return Bill(market, ZONE, {}, prices.root_volume())


def instance(name: str = "i", seconds: float | None = 3600, kind: str = "m5.xlarge", **more: Any) -> Instance:
    return Instance(
        id=name, cluster="j", state="RUNNING" if seconds is None else "TERMINATED", group="ig", ec2=name,
        instance_type=kind, created=THEN, ended=None if seconds is None else THEN + seconds, **more,
    )  # fmt: skip


def test_every_type_has_the_price_that_aws_lists():
    assert len(prices.types()) >= 60
    assert set(prices.types()) <= set(all_types())
    assert (prices.price("m5.xlarge").on_demand, prices.price("m5.xlarge").emr) == (0.192, 0.048)
    assert (prices.price("r5.8xlarge").on_demand, prices.price("r5.8xlarge").emr) == (2.016, 0.27)
    assert "us-east-1" in prices.source()
    assert prices.content()["sources"]


def test_a_type_nobody_has_published_a_price_of_has_none():
    assert prices.price("m5.humongous") is None


@pytest.mark.parametrize(
    ("kind", "count", "gib"), [("m5.xlarge", 2, 32), ("r5.4xlarge", 4, 64), ("m5.24xlarge", 4, 384)]
)
def test_ebs_only_instances_get_volumes_by_their_size(kind, count, gib):
    assert prices.default_volumes(kind) == [Volume("gp3", gib)] * count


@pytest.mark.parametrize("kind", ["m5d.xlarge", "i3.2xlarge", "m5zn.3xlarge", "m5.humongous"])
def test_an_instance_store_or_an_unlisted_size_gets_none(kind):
    assert prices.default_volumes(kind) == []


def test_volumes_cost_their_size_and_what_is_provisioned_beyond_the_base():
    assert Volume("gp2", 100).monthly == pytest.approx(10.0)
    assert Volume("gp3", 100).monthly == Volume("gp3", 100, iops=3000, mibps=125).monthly == pytest.approx(8.0)
    assert Volume("gp3", 100, iops=4000, mibps=225).monthly == pytest.approx(8.0 + 5.0 + 4.0)


def test_an_hour_is_billed_as_ec2_emr_and_ebs(bill):
    found = costs.cost([instance()], THEN + 9999, bill)
    gib = 15 + 2 * 32
    assert (found.ec2, found.emr) == (pytest.approx(0.192), pytest.approx(0.048))
    assert found.ebs == pytest.approx(gib * 0.08 * 3600 / MONTH)
    assert found.total == pytest.approx(found.ec2 + found.emr + found.ebs)


@pytest.mark.parametrize(("lived", "billed"), [(0.2, 60), (59.9, 60), (60.5, 61), (90, 90)])
def test_seconds_are_billed_with_a_minute_at_least(bill, lived, billed):
    assert costs.cost([instance(seconds=lived)], THEN + 9999, bill).emr == pytest.approx(billed / 3600 * 0.048)


def test_a_living_instance_is_billed_until_now_and_one_that_is_awaited_not(bill):
    assert costs.cost([instance(seconds=None)], THEN + 7200, bill).emr == pytest.approx(2 * 0.048)
    awaited = instance(seconds=None)
    awaited.state = "AWAITING_FULFILLMENT"
    assert costs.cost([awaited], THEN + 7200, bill) == Cost()


def test_spot_costs_what_the_market_asked_at_each_moment_and_emr_its_own(bill, market):
    found = costs.cost([instance(market="SPOT")], THEN + 9999, bill)
    changes = market.history("m5.xlarge", ZONE, THEN, THEN + 3600)
    ends = [*[change.at for change in changes[1:]], THEN + 3600]
    expected = sum(
        (end - max(THEN, change.at)) / 3600 * change.price for change, end in zip(changes, ends, strict=True)
    )
    assert found.ec2 == pytest.approx(expected)
    assert found.ec2 < 0.192
    assert found.emr == pytest.approx(0.048)


def test_spot_taken_away_in_its_first_hour_is_free_but_not_emrs_charge(bill):
    taken = instance(market="SPOT", seconds=3000, notice=THEN + 2880)
    found = costs.cost([taken], THEN + 9999, bill)
    assert (found.ec2, found.emr > 0, found.ebs > 0) == (0, True, True)
    later = instance(market="SPOT", seconds=3700, notice=THEN + 3580)
    assert costs.cost([later], THEN + 9999, bill).ec2 > 0


def test_what_has_no_price_is_named_and_not_guessed(bill):
    found = costs.cost([instance(kind="m5.humongous")], THEN + 3600, bill)
    assert (found.ec2, found.emr) == (0, 0)
    assert found.unpriced == {"m5.humongous"}


def step(name: str, begin: float | None, end: float | None) -> Step:
    return Step(
        id=name, cluster="j", state="RUNNING", name=name, jar="command-runner.jar",
        ready=None if begin is None else THEN + begin, ended=None if end is None else THEN + end,
    )  # fmt: skip


def test_steps_side_by_side_share_what_their_time_costs(bill):
    steps = [step("alone", 0, 100), step("both", 50, 150), step("waiting", None, None)]
    parts = {one.id: costs.share(one, steps, [instance()], bill, THEN + 3600) for one in steps}
    whole = bill.of(instance(), THEN, THEN + 150)
    assert parts["alone"].emr == pytest.approx(0.048 / 3600 * 75)
    assert parts["both"].emr == pytest.approx(0.048 / 3600 * 75)
    assert parts["alone"].total + parts["both"].total == pytest.approx(whole.total)
    assert parts["waiting"] == Cost()


@pytest.fixture
def history(tmp_path: Path) -> Any:
    found = History(tmp_path / "emr.sqlite")
    cluster = Cluster(
        id="j", cluster="j", state="WAITING", account="1", region="us-east-1", name="dear", release="emr-7.9.0",
        applications=[], keep_alive=True, protected=False, ec2={"Ec2AvailabilityZone": ZONE},
        settings={"EbsRootVolumeSize": 50},
    )  # fmt: skip
    wide = {"VolumeSpecification": {"VolumeType": "gp2", "SizeInGB": 100}, "VolumesPerInstance": 2}
    group = Group(
        id="ig", cluster="j", state="RUNNING", name="core", role="CORE", instance_type="m5.xlarge", requested=1,
        ebs={"EbsBlockDeviceConfigs": [wide]},
    )  # fmt: skip
    found.add(cluster, group, instance(), step("s", 0, 1800))
    yield found
    found.close()


def test_a_clusters_cost_counts_the_volumes_that_were_asked_for(history, market):
    found = costs.cluster_cost(history, "j", market, THEN + 7200)
    assert found.ebs == pytest.approx((50 * 0.08 + 200 * 0.10) * 3600 / MONTH)
    half = costs.step_cost(history, "j", "s", market, THEN + 7200)
    assert half.total == pytest.approx(found.total / 2)
    for wrong in (("j", "s-none"), ("j-none", "s")):
        with pytest.raises(KeyError):
            costs.step_cost(history, *wrong, market, THEN)
    with pytest.raises(KeyError):
        costs.cluster_cost(history, "j-none", market, THEN)


def test_the_document_adds_up(history, market):
    told = costs_told.document(history, market, "j")
    assert told is not None
    assert told["AsOf"] == pytest.approx(time.time(), abs=60)
    assert told["Cost"]["Total"] == pytest.approx(sum(one["Cost"]["Total"] for one in told["Instances"]), abs=1e-5)
    assert told["Instances"][0]["Seconds"] == 3600
    assert told["Steps"][0]["Cost"]["Total"] == pytest.approx(told["Cost"]["Total"] / 2, abs=1e-5)
    assert told["Unpriced"] == []
    assert costs_told.document(history, market, "j-none") is None


def test_a_real_clusters_instances_and_steps_are_billed(emr, place, launch):
    masters = {"InstanceFleetType": "MASTER", "TargetOnDemandCapacity": 1}
    cores = {"InstanceFleetType": "CORE", "TargetSpotCapacity": 1}
    fleets = [{**one, "InstanceTypeConfigs": [{"InstanceType": "m5.xlarge"}]} for one in (masters, cores)]
    asked = {"InstanceFleets": fleets, "InstanceCount": 0, "MasterInstanceType": "", "SlaveInstanceType": ""}
    work = {"Name": "nothing", "HadoopJarStep": {"Jar": "command-runner.jar", "Args": ["sleep", "0.3"]}}
    life = launch(Instances=asked, Steps=[{**work, "ActionOnFailure": "CONTINUE"}])
    life.until(lambda life: life.step_states() == ["COMPLETED"])
    told = costs_told.document(emr.history, spot_market.market(place), life.id)
    assert told is not None
    assert told["AvailabilityZone"] == life.told["Ec2InstanceAttributes"]["Ec2AvailabilityZone"]
    by_market = {one["Market"]: one["Cost"] for one in told["Instances"]}
    assert by_market["ON_DEMAND"]["Ec2"] == pytest.approx(0.192 / 60, abs=1e-5)  # a minute at least
    assert 0 < by_market["SPOT"]["Ec2"] < by_market["ON_DEMAND"]["Ec2"]
    (step_told,) = told["Steps"]
    assert 0 < step_told["Cost"]["Total"] < told["Cost"]["Total"]
