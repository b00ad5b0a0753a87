"""DescribeSpotPriceHistory: EC2's answer from the lab's own spot market, through boto3."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from emrlab.emr.market.prices import price, types
from emrlab.emr.market.spot_market import market

pytestmark = pytest.mark.region
LINUX = "Linux/UNIX"
ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")


@pytest.fixture(scope="module")
def ec2(aws: Any) -> Any:
    return aws("ec2")


def ago(**what: float) -> datetime:
    return datetime.now(UTC) - timedelta(**what)


def changes(ec2: Any, **params: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ec2.describe_spot_price_history(**params)["SpotPriceHistory"]
    return found


def refused(ec2: Any, **params: Any) -> str:
    with pytest.raises(ClientError) as error:
        ec2.describe_spot_price_history(**params)
    return str(error.value.response["Error"]["Code"])


def test_the_current_price_is_the_markets(ec2, home):
    now = datetime.now(UTC)
    found = changes(ec2, InstanceTypes=["m5.xlarge"], ProductDescriptions=[LINUX], StartTime=now, EndTime=now)
    assert [one["AvailabilityZone"] for one in sorted(found, key=lambda one: one["AvailabilityZone"])] == [*ZONES]
    own = market(home)
    for one in found:
        assert float(one["SpotPrice"]) == own.price("m5.xlarge", one["AvailabilityZone"], now.timestamp())
        assert one["Timestamp"] <= now
        assert one["ProductDescription"] == LINUX
        assert 0 < float(one["SpotPrice"]) < 2 * price("m5.xlarge").on_demand


def test_zones_have_the_ids_that_ec2_tells(ec2):
    known = {one["ZoneName"]: one["ZoneId"] for one in ec2.describe_availability_zones()["AvailabilityZones"]}
    found = changes(ec2, InstanceTypes=["m5.xlarge"], StartTime=ago(), EndTime=ago())
    assert {one["AvailabilityZone"]: one["AvailabilityZoneId"] for one in found} == known


def test_a_range_has_its_changes_newest_first_and_the_price_in_force_at_its_start(ec2):
    start, end = ago(hours=5), ago(hours=1)
    found = changes(
        ec2, InstanceTypes=["m5.xlarge", "c5.xlarge"], AvailabilityZone="us-east-1a", StartTime=start, EndTime=end
    )
    assert {(one["InstanceType"], one["AvailabilityZone"]) for one in found} == {
        ("m5.xlarge", "us-east-1a"),
        ("c5.xlarge", "us-east-1a"),
    }
    moments = [one["Timestamp"] for one in found]
    assert moments == sorted(moments, reverse=True)
    assert all(moment <= end for moment in moments)
    for kind in ("m5.xlarge", "c5.xlarge"):
        own = [one["Timestamp"] for one in found if one["InstanceType"] == kind]
        assert len(own) > 2
        assert own[-1] <= start < own[-2]


def test_pages_are_the_whole_in_order(ec2):
    query = {"InstanceTypes": ["m5.xlarge", "r5.2xlarge"], "StartTime": ago(hours=8), "EndTime": ago(minutes=5)}
    whole = changes(ec2, **query)
    first = ec2.describe_spot_price_history(**query, MaxResults=7)
    assert (len(first["SpotPriceHistory"]), bool(first["NextToken"])) == (7, True)
    pages = ec2.get_paginator("describe_spot_price_history").paginate(**query, PaginationConfig={"PageSize": 7})
    assert list(itertools.chain.from_iterable(page["SpotPriceHistory"] for page in pages)) == whole
    assert len(whole) > 3 * 7


def test_without_filters_every_type_in_every_zone_is_told_a_thousand_at_a_time(ec2):
    now = datetime.now(UTC)
    found = ec2.describe_spot_price_history(StartTime=now, EndTime=now)
    assert len(found["SpotPriceHistory"]) == 3 * len(types())
    everything = ec2.describe_spot_price_history()
    assert (len(everything["SpotPriceHistory"]), bool(everything["NextToken"])) == (1000, True)


@pytest.mark.parametrize(
    ("filters", "kinds", "zones"),
    [
        ({"instance-type": ["m5.*large"]}, {name for name in types() if name.startswith("m5.")}, {*ZONES}),
        ({"instance-type": ["c5.xlarge"], "availability-zone": ["*b"]}, {"c5.xlarge"}, {"us-east-1b"}),
        ({"availability-zone-id": ["use1-az3"], "instance-type": ["c5.?xlarge"]}, None, {"us-east-1c"}),
        ({"product-description": ["Windows"]}, set(), set()),
        ({"product-description": ["Linux/UNIX (Amazon VPC)"], "instance-type": ["d2.xlarge"]}, {"d2.xlarge"}, {*ZONES}),
        ({"spot-price": ["99*"]}, set(), set()),
        ({"timestamp": ["1999-*"]}, set(), set()),
    ],
)
def test_filters_choose_with_wildcards(ec2, filters, kinds, zones):
    asked = [{"Name": name, "Values": values} for name, values in filters.items()]
    found = changes(ec2, Filters=asked, StartTime=ago(), EndTime=datetime.now(UTC))
    assert {one["AvailabilityZone"] for one in found} == zones
    if kinds is not None:
        assert {one["InstanceType"] for one in found} == kinds


def test_prices_and_moments_can_be_filters(ec2):
    query = {"InstanceTypes": ["m5.xlarge"], "AvailabilityZone": "us-east-1a", "StartTime": ago(hours=3)}
    some = changes(ec2, **query)[2]
    stamp = f"{some['Timestamp']:%Y-%m-%dT%H:%M:%S}*"
    for name, value in (("spot-price", some["SpotPrice"]), ("timestamp", stamp)):
        assert some in changes(ec2, **query, Filters=[{"Name": name, "Values": [value]}])


def test_other_systems_and_unknown_types_have_no_prices(ec2):
    assert changes(ec2, ProductDescriptions=["Windows"], InstanceTypes=["m5.xlarge"]) == []
    assert changes(ec2, InstanceTypes=["m5.xlarge"], AvailabilityZone="us-east-1z") == []


def test_what_ec2_refuses_is_refused(ec2):
    assert refused(ec2, DryRun=True) == "DryRunOperation"
    assert refused(ec2, NextToken="nonsense") == "InvalidNextToken"
    assert refused(ec2, Filters=[{"Name": "colour", "Values": ["blue"]}]) == "InvalidParameterValue"
    both = {"AvailabilityZone": "us-east-1a", "AvailabilityZoneId": "use1-az1"}
    assert refused(ec2, **both) == "InvalidParameterCombination"


def test_the_rest_of_ec2_is_ministacks(ec2):
    assert [one["ZoneName"] for one in ec2.describe_availability_zones()["AvailabilityZones"]] == [*ZONES]
