"""Block public access of an account in a region."""

from __future__ import annotations

import time
from typing import Any

from .. import errors
from ..access import public_access
from ..account import PublicAccess, made
from ..registry import Call, operation
from ..shapes import moment


def key(call: Call) -> str:
    return public_access.key(call.context.account, call.context.region)


def current(call: Call) -> PublicAccess:
    """The configuration in force. An account that never set one has EMR's default, as of when it first looks."""
    history = call.service.history
    with history.transaction():
        found = history.get(PublicAccess, key(call))
        if found is None:
            root = f"arn:aws:iam::{call.context.account}:root"
            fields: dict[str, Any] = {
                "blocked": True,
                "ranges": public_access.DEFAULT,
                "by": root,
                "changed": time.time(),
            }
            found = made(call, PublicAccess, key(call), **fields)
            history.add(found)
        return found


@operation("GetBlockPublicAccessConfiguration")
def get_block_public_access_configuration(call: Call, params: dict[str, Any]) -> dict[str, Any]:
    found = current(call)
    return {
        "BlockPublicAccessConfiguration": {
            "BlockPublicSecurityGroupRules": found.blocked,
            "PermittedPublicSecurityGroupRuleRanges": found.ranges,
        },
        "BlockPublicAccessConfigurationMetadata": {
            "CreationDateTime": moment(found.changed),
            "CreatedByArn": found.by,
        },
    }


@operation("PutBlockPublicAccessConfiguration")
def put_block_public_access_configuration(call: Call, params: dict[str, Any]) -> None:
    """A range without ``MaxRange`` is one port; without ranges nothing is permitted, port 22 neither."""
    wanted = params["BlockPublicAccessConfiguration"]
    ranges = []
    for one in wanted.get("PermittedPublicSecurityGroupRuleRanges") or ():
        low, high = one["MinRange"], one.get("MaxRange", one["MinRange"])
        if low > high:
            raise errors.invalid(f"A port range goes from its MinRange to its MaxRange, not from {low} to {high}.")
        ranges.append({"MinRange": low, "MaxRange": high})
    current(call)
    with call.service.history.changing(PublicAccess, key(call)) as now:
        now.blocked, now.ranges = wanted["BlockPublicSecurityGroupRules"], ranges
        now.by, now.changed = call.context.caller, time.time()
