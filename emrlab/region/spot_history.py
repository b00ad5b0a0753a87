"""EC2's DescribeSpotPriceHistory, told from the lab's spot market: ministack, which owns the rest of EC2, has none."""

from __future__ import annotations

import base64
import binascii
import heapq
import json
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import AwsError
from ..home import Home
from . import ministack_hooks
from .protocol import Answer, Call

if TYPE_CHECKING:
    from ..emr.market.spot_market import Market

OPERATION = ("ec2", "DescribeSpotPriceHistory")
PAGE = 1000
OLDEST = 90 * 24 * 3600.0  # "up to the past 90 days"
LINUX = "Linux/UNIX"
PRODUCTS = {LINUX, "Linux/UNIX (Amazon VPC)"}  # two names of the one market there is here
FILTERS = {
    *("availability-zone", "availability-zone-id", "instance-type", "product-description", "spot-price", "timestamp")
}


class Item(NamedTuple):
    """One price change. Sorted as they are told: the newest first."""

    age: float
    instance_type: str
    zone: str
    price: str

    @property
    def moment(self) -> datetime:
        return datetime.fromtimestamp(-self.age, UTC)


@dataclass(frozen=True)
class Query:
    """``end`` stays the same from page to page, whatever time it is meanwhile. ``after``: the last item of a page."""

    start: float
    end: float
    after: tuple[float, str, str] | None


def answer(home: Home, call: Call, params: Mapping[str, Any], region: str, request_id: str) -> Answer:
    """The answer to a request. Raises ``AwsError``."""
    from ..emr.market.spot_market import market
    from .xml_wire import write_ec2

    result = describe(market(home), params, region)
    return Answer(200, {"content-type": "text/xml;charset=UTF-8"}, write_ec2(call, result, request_id).encode())


def describe(market: Market, params: Mapping[str, Any], region: str) -> dict[str, Any]:
    """The operation's result, as the model has it. Raises ``AwsError``."""
    if params.get("DryRun"):
        raise AwsError("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", 412)
    if params.get("AvailabilityZone") and params.get("AvailabilityZoneId"):
        raise AwsError(
            "InvalidParameterCombination", "AvailabilityZone and AvailabilityZoneId cannot be specified together."
        )
    filters = wanted(params)
    query = asked(params)
    size = params.get("MaxResults") or PAGE
    if size < 1:
        raise AwsError("InvalidParameterValue", f"Value ( {size} ) for parameter maxResults is invalid.")
    found = list(islice(matching(market, query, filters, region), min(size, PAGE) + 1))
    page = found[: min(size, PAGE)]
    told = [
        {
            "AvailabilityZone": item.zone,
            "AvailabilityZoneId": ministack_hooks.zone_id(item.zone),
            "InstanceType": item.instance_type,
            "ProductDescription": LINUX,
            "SpotPrice": item.price,
            "Timestamp": item.moment,
        }
        for item in page
    ]
    return {"SpotPriceHistory": told, "NextToken": token(query, page[-1]) if len(found) > len(page) else ""}


def wanted(params: Mapping[str, Any]) -> dict[str, list[re.Pattern[str]]]:
    """All that limits the answer, by the names that filters have: values with ``*`` and ``?``."""
    found: dict[str, list[re.Pattern[str]]] = {}
    for one in params.get("Filters") or []:
        name = one.get("Name", "")
        if name not in FILTERS:
            raise AwsError("InvalidParameterValue", f"The filter '{name}' is invalid")
        found[name] = [wildcard(value) for value in one.get("Values") or []]
    for member, name in (
        ("InstanceTypes", "instance-type"),
        ("ProductDescriptions", "product-description"),
        ("AvailabilityZone", "availability-zone"),
        ("AvailabilityZoneId", "availability-zone-id"),
    ):
        if given := params.get(member):
            exact = [re.compile(re.escape(value)) for value in ([given] if isinstance(given, str) else given)]
            # A member and a filter of the same name both count: what the filter says too must stay.
            found[f"{name}!"] = exact
    return found


def wildcard(text: str) -> re.Pattern[str]:
    parts = (".*" if one == "*" else "." if one == "?" else re.escape(one) for one in text)
    return re.compile("".join(parts))


def fits(filters: Mapping[str, list[re.Pattern[str]]], name: str, *values: str) -> bool:
    """Whether one of ``values`` is what the filter ``name``, and the parameter of its kind, ask for."""
    return all(
        any(pattern.fullmatch(value) for pattern in filters[key] for value in values)
        for key in (name, f"{name}!")
        if key in filters
    )


def asked(params: Mapping[str, Any]) -> Query:
    now = time.time()
    if params.get("NextToken"):
        return resumed(params["NextToken"])
    end = params["EndTime"].timestamp() if params.get("EndTime") else now
    start = params["StartTime"].timestamp() if params.get("StartTime") else now - OLDEST
    return Query(max(start, now - OLDEST), min(end, now), None)


def token(query: Query, last: Item) -> str:
    content = [query.start, query.end, last.age, last.instance_type, last.zone]
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode()


def resumed(text: str) -> Query:
    try:
        start, end, age, instance_type, zone = json.loads(base64.urlsafe_b64decode(text.encode()))
        return Query(float(start), float(end), (float(age), str(instance_type), str(zone)))
    except (binascii.Error, ValueError, TypeError):
        raise AwsError("InvalidNextToken", "The specified token is not valid.") from None


def matching(market: Market, query: Query, filters: Mapping[str, list[re.Pattern[str]]], region: str) -> Iterator[Item]:
    """All changes that are asked for, newest first, found while they are read: there are hundreds of pools."""
    if query.start > query.end or not fits(filters, "product-description", *PRODUCTS):
        return
    pools = [changes(market, query, *pool) for pool in in_question(filters, region)]
    for item in heapq.merge(*pools):
        if query.after is not None and item[:3] <= query.after:
            continue
        if fits(filters, "spot-price", item.price) and fits(filters, "timestamp", stamp(item.moment)):
            yield item


def in_question(filters: Mapping[str, list[re.Pattern[str]]], region: str) -> Iterable[tuple[str, str]]:
    from ..emr.market.prices import types
    from ..emr.market.spot_market import zones

    places = [
        zone
        for zone in zones(region)
        if fits(filters, "availability-zone", zone)
        and fits(filters, "availability-zone-id", ministack_hooks.zone_id(zone))
    ]
    return [(name, zone) for name in types() if fits(filters, "instance-type", name) for zone in places]


def changes(market: Market, query: Query, instance_type: str, zone: str) -> Iterator[Item]:
    """One pool's changes, back to the price that is in force at the start."""
    # A second later than the last page's end: rounding must not lose what changed at that very moment.
    end = query.end if query.after is None else min(query.end, 1 - query.after[0])
    for point in market.backwards(instance_type, zone, end):
        yield Item(-point.at, instance_type, zone, f"{point.price:.6f}")
        if point.at <= query.start:
            return


def stamp(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"
