"""Automatic scaling policies of instance groups: what EMR takes, and as it tells them.

See "Using automatic scaling with a custom policy for instance groups in Amazon EMR" and the type ``AutoScalingPolicy``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from .. import errors

NAMESPACE, CLUSTER_ID = "AWS/ElasticMapReduce", "${emr.clusterId}"
# A group's policy in these is at work, or will be.
LIVING = ("PENDING", "ATTACHING", "ATTACHED")
DEFAULTS = {"EvaluationPeriods": 1, "Namespace": NAMESPACE, "Statistic": "AVERAGE", "Unit": "NONE"}
ADJUSTMENT = {"AdjustmentType": "CHANGE_IN_CAPACITY", "CoolDown": 0}
PERIOD = 300  # "if you specify a CloudWatch metric, specify 300"


def policy(group_role: str, given: Mapping[str, Any], cluster_id: str) -> dict[str, Any]:
    """A new policy as DescribeCluster tells it, PENDING. Raises ``AwsError`` for one that EMR does not take."""
    if group_role == "MASTER":
        raise errors.validation("The master instance group cannot have an automatic scaling policy.")
    limits, rules = given["Constraints"], given["Rules"]
    low, high = limits["MinCapacity"], limits["MaxCapacity"]
    if low < 0 or high < low:
        raise errors.validation(
            f"Constraints of an automatic scaling policy: MinCapacity ({low}) is at least 0 and at most "
            f"MaxCapacity ({high})."
        )
    if not rules:
        raise errors.validation("An automatic scaling policy needs at least one rule.")
    names = [one["Name"] for one in rules]
    if len(set(names)) < len(names):
        raise errors.validation("Rule names must be unique within a scaling policy.")
    told = [rule(one, cluster_id) for one in rules]
    return {**status("PENDING"), "Constraints": {"MinCapacity": low, "MaxCapacity": high}, "Rules": told}


def rule(given: Mapping[str, Any], cluster_id: str) -> dict[str, Any]:
    action, name = given["Action"], given["Name"]
    trigger = given["Trigger"]["CloudWatchAlarmDefinition"]
    adjustment = {**ADJUSTMENT, **action["SimpleScalingPolicyConfiguration"]}
    if adjustment["AdjustmentType"] == "EXACT_CAPACITY" and adjustment["ScalingAdjustment"] < 0:
        raise errors.validation(f"Rule {name}: with EXACT_CAPACITY ScalingAdjustment is a positive integer.")
    if adjustment["CoolDown"] < 0:
        raise errors.validation(f"Rule {name}: CoolDown must be 0 or more.")
    if "Market" in action:
        raise errors.validation(
            f"Rule {name}: Market is not available for instance groups, which use the market they were given."
        )
    return {
        "Name": name,
        "Description": given.get("Description", ""),
        "Action": {"SimpleScalingPolicyConfiguration": adjustment},
        "Trigger": {"CloudWatchAlarmDefinition": alarm(trigger, name, cluster_id)},
    }


def alarm(given: Mapping[str, Any], name: str, cluster_id: str) -> dict[str, Any]:
    """With EMR's defaults, and the cluster's id for ``${emr.clusterId}``."""
    found = {**DEFAULTS, **given}
    if found["EvaluationPeriods"] < 1:
        raise errors.validation(f"Rule {name}: EvaluationPeriods must be 1 or more.")
    if found["Threshold"] < 0:
        raise errors.validation(f"Rule {name}: Threshold must be 0 or more.")
    if found["Namespace"] == NAMESPACE and found["Period"] != PERIOD:
        raise errors.validation(
            f"Rule {name}: EMR's CloudWatch metrics are emitted every five minutes, so Period must be {PERIOD}."
        )
    if found["Period"] < 10 or (found["Period"] % 60 and found["Period"] not in (10, 30)):
        raise errors.validation(f"Rule {name}: Period must be 10, 30 or a multiple of 60 seconds.")
    dimensions = given.get("Dimensions") or [{"Key": "JobFlowId", "Value": CLUSTER_ID}]
    found["Dimensions"] = [
        {"Key": one.get("Key", ""), "Value": one.get("Value", "").replace(CLUSTER_ID, cluster_id)} for one in dimensions
    ]
    if "Unit" not in given:
        del found["Unit"]
    return found


def status(state: str, message: str = "", code: str = "") -> dict[str, Any]:
    reason = {"Message": message, **({"Code": code} if code else {})}
    return {"Status": {"State": state, "StateChangeReason": reason}}


def state(scaling: Mapping[str, Any]) -> str:
    """Of a group's policy; empty when it has none."""
    return str(scaling["Status"]["State"]) if scaling else ""


def adjusted(current: int, adjustment: Mapping[str, Any], limits: Mapping[str, int]) -> int:
    """How many instances a rule makes of ``current``, within the policy's limits.

    Percents are rounded as EC2 Auto Scaling does ("Simple and step scaling policies"): towards zero, but to one at
    least.
    """
    amount, kind = adjustment["ScalingAdjustment"], adjustment["AdjustmentType"]
    if kind == "EXACT_CAPACITY":
        wanted = amount
    elif kind == "PERCENT_CHANGE_IN_CAPACITY":
        change = current * amount / 100
        wanted = current + (int(math.copysign(1, change)) if 0 < abs(change) < 1 else math.trunc(change))
    else:
        wanted = current + amount
    return max(limits["MinCapacity"], min(limits["MaxCapacity"], wanted))
