"""What emrlab uses of ministack's IAM, STS and CloudTrail, and ministack does not promise to keep."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..errors import AwsError
from . import ministack_hooks as hooks

Lookup = Callable[[str, str, dict[str, Any]], dict[str, Any]]
Status = Callable[[str], dict[str, Any]]
Answer = tuple[int, dict[str, str], bytes]


@dataclass(frozen=True)
class Trail:
    """A trail that was logging ``since``, and ``until`` if it was stopped. ``selectors``: which events it wants."""

    arn: str
    account: str
    region: str
    bucket: str
    prefix: str
    all_regions: bool
    selectors: list[dict[str, Any]]
    since: float
    until: float | None


def caller(access_key: str, region: str) -> tuple[str, dict[str, Any] | None]:
    """The account that a key's requests are made in, and who it is; None: nobody knows. In a context of its own."""
    from ministack.core import iam_evaluator
    from ministack.services import iam

    account = hooks.pin(access_key, region)
    found: dict[str, Any] | None = iam_evaluator.resolve_caller_identity(access_key)
    if found and ":assumed-role/" in found["userArn"]:
        arn = found["userArn"]
        role = iam._roles.get_scoped(arn.split(":")[4], None, arn.split("/")[1])
        found = {**found, "roleArn": (role or {}).get("Arn", "")}
    return account, found


def cloudtrail() -> Any:
    return hooks.app()._get_module("cloudtrail")


def install(lookup: Lookup, status: Status) -> None:
    """LookupEvents is answered by ``lookup``; GetTrailStatus also tells what ``status`` knows of a trail (by ARN)."""
    module = cloudtrail()
    module._recording_enabled = False  # all is recorded at the gateway, with who it really was
    told = module._get_trail_status

    def lookup_events(body: dict[str, Any]) -> Answer:
        from ministack.core import responses

        try:
            return as_json(200, lookup(responses.get_account_id(), responses.get_region(), body))
        except AwsError as failure:
            return as_json(failure.status, {"__type": failure.code, "message": failure.message})

    def get_trail_status(body: dict[str, Any]) -> Answer:
        code, headers, content = told(body)
        if code != 200:
            return code, headers, content
        *_, trail = module._find_visible_trail(body.get("Name", "").strip())
        return as_json(200, {**json.loads(content), **status(trail["TrailARN"])})

    module._DISPATCH |= {"LookupEvents": lookup_events, "GetTrailStatus": get_trail_status}


def as_json(status: int, content: dict[str, Any]) -> Answer:
    return status, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(content).encode()


def trails() -> list[Trail]:
    """All trails that log, or did."""
    module = cloudtrail()
    found = []
    for (account, region, name), trail in list(module._trails.all_items()):
        if trail.get("_StartedAt") and trail.get("S3BucketName"):
            selectors = module._event_selectors.get_scoped(account, region, name, module._DEFAULT_EVENT_SELECTORS)
            found.append(
                Trail(
                    trail["TrailARN"],
                    account,
                    region,
                    trail["S3BucketName"],
                    trail.get("S3KeyPrefix") or "",
                    bool(trail.get("IsMultiRegionTrail")),
                    selectors,
                    trail["_StartedAt"],
                    None if trail.get("IsLogging") else trail.get("_StoppedAt"),
                )
            )
    return found
