"""What CloudTrail's trails do: records in S3 every five lab-minutes, and as EventBridge's events at once.

See "Finding your CloudTrail log files", "CloudTrail log file examples" and "Logging management events" of the
CloudTrail User Guide, and "AWS service events delivered via AWS CloudTrail" of the EventBridge User Guide.
"""

from __future__ import annotations

import asyncio
import gzip
import logging
import secrets
import string
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from . import ministack_trails
from .audit_store import AuditStore
from .borrowed import Borrowed
from .ministack_trails import Trail
from .protocol import Request

log = logging.getLogger(__name__)
DELIVERY_SECONDS = 300.0  # of lab time
LOOK_SECONDS = 0.5
IN_A_FILE = 5_000
VIA = "AWS API Call via CloudTrail"
Body = Mapping[str, Any]


@dataclass(frozen=True)
class Told:
    """A record as an event of EventBridge's."""

    account: str
    region: str
    source: str
    detail: dict[str, Any]
    kind: str = VIA
    resources: list[str] = field(default_factory=list)


class Trails:
    """``true``: how long lab seconds really are. ``publish``: takes an event for EventBridge."""

    def __init__(
        self,
        store: AuditStore,
        borrowed: Borrowed,
        publish: Callable[[Told], None],
        true: Callable[[float], float],
    ) -> None:
        self.store, self.borrowed, self.publish, self.true = store, borrowed, publish, true
        self.delivered = time.monotonic()

    async def run(self) -> None:
        """Deliver until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if time.monotonic() - self.delivered < self.true(DELIVERY_SECONDS):
                continue
            self.delivered = time.monotonic()
            try:
                await self.deliver()
            except Exception:
                log.exception("trails were not delivered")

    async def deliver(self) -> None:
        for trail in ministack_trails.trails():
            after, error = await asyncio.to_thread(self.place, trail)
            try:
                last = await self.files(trail, after)
            except OSError as failure:
                await asyncio.to_thread(self.store.deliver, trail.arn, after, None, str(failure))
                continue
            if last > after or error:
                await asyncio.to_thread(self.store.deliver, trail.arn, last, time.time())

    def place(self, trail: Trail) -> tuple[int, str]:
        """Up to where a trail was delivered, and what went wrong last time."""
        number, _, error = self.store.delivered(trail.arn) or (0, None, "")
        return max(number, self.store.before(trail.account, trail.since)), error

    async def files(self, trail: Trail, after: int) -> int:
        """Put what the trail wants of the events ``after``, a file per region; the last event's number."""
        while True:
            rows = await asyncio.to_thread(
                self.store.waiting,
                trail.account,
                None if trail.all_regions else trail.region,
                after,
                IN_A_FILE,
                trail.until,
            )
            by_region: dict[str, list[str]] = {}
            for _, region, text, body in rows:
                if wants(trail.selectors, body):
                    by_region.setdefault(region, []).append(text)
            for region, texts in by_region.items():
                await self.put(trail, region, texts)
            after = rows[-1][0] if rows else after
            if len(rows) < IN_A_FILE:
                return after

    async def put(self, trail: Trail, region: str, records: list[str]) -> None:
        """Raises ``OSError`` with S3's error code."""
        content = gzip.compress(('{"Records":[' + ",".join(records) + "]}").encode())
        path = f"/{trail.bucket}/{key(trail.prefix, trail.account, region, datetime.now(UTC))}"
        headers = {
            "host": "127.0.0.1",
            "content-type": "application/json",
            "content-encoding": "gzip",
            "content-length": str(len(content)),
            "x-amz-acl": "bucket-owner-full-control",
            "user-agent": "cloudtrail.amazonaws.com",
        }
        request = Request("PUT", path, path, {}, headers, content)
        answer, _ = await self.borrowed.s3(request, trail.account, trail.region, str(uuid.uuid4()))
        if answer.status >= 300:
            code = answer.body.decode("utf-8", "replace").partition("<Code>")[2].partition("</Code>")[0]
            raise OSError(code or f"status {answer.status}")
        self.borrowed.keeper.touch("s3")

    def tell(self, account: str, body: dict[str, Any]) -> None:
        """A trail that logs a call also gives it to EventBridge, unless it only reads."""
        if body["readOnly"]:
            return
        region = body["awsRegion"]
        for trail in ministack_trails.trails():
            here = trail.account == account and (trail.all_regions or trail.region == region)
            if here and trail.until is None and wants(trail.selectors, body):
                source = f"aws.{body['eventSource'].partition('.')[0]}"
                self.publish(Told(account, region, source, body))
                return

    def status(self, arn: str) -> dict[str, Any]:
        """What GetTrailStatus tells of deliveries."""
        _, at, error = self.store.delivered(arn) or (0, None, "")
        if error:
            return {"LatestDeliveryError": error}
        return {"LatestDeliveryTime": at} if at else {}


def key(prefix: str, account: str, region: str, at: datetime) -> str:
    unique = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(16))
    name = f"{account}_CloudTrail_{region}_{at:%Y%m%dT%H%MZ}_{unique}.json.gz"
    parts = [prefix.strip("/"), "AWSLogs", account, "CloudTrail", region, f"{at:%Y/%m/%d}", name]
    return "/".join(part for part in parts if part)


def wants(selectors: list[dict[str, Any]], body: Body) -> bool:
    """Whether event selectors, basic or advanced, choose a management event."""
    return any(advanced(one, body) if "FieldSelectors" in one else basic(one, body) for one in selectors)


def basic(selector: Mapping[str, Any], body: Body) -> bool:
    if not selector.get("IncludeManagementEvents", True):
        return False
    if body["eventSource"] in (selector.get("ExcludeManagementEventSources") or ()):
        return False
    wanted = selector.get("ReadWriteType") or "All"
    return wanted == "All" or (wanted == "ReadOnly") == body["readOnly"]


OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "Equals": str.__eq__,
    "StartsWith": str.startswith,
    "EndsWith": str.endswith,
}


def advanced(selector: Mapping[str, Any], body: Body) -> bool:
    for one in selector["FieldSelectors"]:
        value = field_of(body, one["Field"])
        for name, holds in OPERATORS.items():
            if one.get(name) and not any(holds(value, wanted) for wanted in one[name]):
                return False
            if any(holds(value, unwanted) for unwanted in one.get(f"Not{name}") or ()):
                return False
    return True


def field_of(body: Body, name: str) -> str:
    value: Any = body
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return str(value).lower() if isinstance(value, bool) else str(value or "")
