"""An event of EMR's, and the 20 kinds there are.

See "Amazon EMR events" of the EventBridge Events Reference for the kinds, "Monitoring Amazon EMR events with
CloudWatch" of the EMR Management Guide for codes, severities and messages. Field names of the first seven are those of
EventBridge's schema registry. Of the others AWS publishes the common ones, in the Lambda functions of "Responding to
CloudWatch events from Amazon EMR" (clusterId, eventCode, instanceGroupType, instanceFleetType); the rest is named here
as in the first seven.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from ..records import Cluster, Fleet, Group, Instance

Detail = dict[str, Any]
SOURCE = "aws.emr"


class Kind(StrEnum):
    """``detail-type`` of EMR's events."""

    AUTO_SCALING_POLICY = "EMR Auto Scaling Policy State Change"
    STEP = "EMR Step Status Change"
    CLUSTER = "EMR Cluster State Change"
    GROUP = "EMR Instance Group State Change"
    FLEET = "EMR Instance Fleet State Change"
    GROUP_NOTE = "EMR Instance Group Status Notification"
    FLEET_NOTE = "EMR Instance Fleet Status Notification"
    CONFIGURATION_ERROR = "EMR Configuration Error"
    APPLICATION_HEALTH = "EMR Application Health State Change"
    MANAGED_SCALING = "EMR Managed Scaling Action"
    FLEET_RESIZE = "EMR Instance Fleet Resize"
    GROUP_RESIZE = "EMR Instance Group Resize"
    FLEET_START = "EMR Instance Fleet Cluster Start"
    GROUP_START = "EMR Instance Group Cluster Start"
    UNHEALTHY_NODE = "EMR Unhealthy Node Replacement"
    FLEET_PROVISIONING = "EMR Instance Fleet Provisioning"
    GROUP_PROVISIONING = "EMR Instance Group Provisioning"
    FLEET_TERMINATION = "EMR Instance Fleet Termination"
    GROUP_TERMINATION = "EMR Instance Group Termination"
    FLEET_UPDATE = "EMR Instance Fleet Update"


@dataclass(frozen=True)
class Event:
    """What goes onto the default bus of ``account`` in ``region``. ``kind``: its ``detail-type``."""

    kind: str
    cluster: str
    account: str
    region: str
    detail: Detail
    source: str = SOURCE
    resources: list[str] = field(default_factory=list)


def event(kind: Kind, cluster: Cluster, severity: str, message: str = "", **fields: Any) -> Event:
    """An event about ``cluster``; ``fields`` of its detail that are None are left out."""
    detail = {"severity": severity, **fields, "clusterId": cluster.id}
    if message:
        detail["message"] = message
    kept = {name: value for name, value in detail.items() if value is not None}
    return Event(kind, cluster.id, cluster.account, cluster.region, kept)


def moment(seconds: float | None = None) -> str:
    """A moment (default: now) as EMR's messages tell it."""
    return datetime.fromtimestamp(time.time() if seconds is None else seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def minutes(since: float, until: float | None = None) -> int:
    return int(((time.time() if until is None else until) - since) // 60)


def named(cluster: Cluster) -> str:
    return f"{cluster.id} ({cluster.name})"


def listed(names: Iterable[str]) -> str:
    return f"[{', '.join(names)}]"


@dataclass(frozen=True)
class Capacity:
    """Units of a fleet that are there."""

    on_demand: int = 0
    spot: int = 0

    @classmethod
    def of(cls, fleet: Fleet, instances: Iterable[Instance]) -> Capacity:
        units = {"ON_DEMAND": 0, "SPOT": 0}
        for one in instances:
            if one.group == fleet.id and one.state == "RUNNING":
                units[one.market] = units.get(one.market, 0) + one.weight
        return cls(units["ON_DEMAND"], units["SPOT"])


def group_fields(group: Group, running: int) -> Detail:
    """Fields that events of an instance group share; counts are text, as AWS sends them."""
    return {
        "market": group.market,
        "bidPrice": group.bid_price or None,
        "requestedInstanceCount": str(group.requested),
        "runningInstanceCount": str(running),
        "instanceType": group.instance_type,
        "instanceGroupType": group.role,
        "instanceGroupId": group.id,
        "state": group.state,
    }


def fleet_fields(fleet: Fleet, capacity: Capacity) -> Detail:
    """Fields that events of an instance fleet share."""
    return {
        "provisionedOnDemandCapacity": str(capacity.on_demand),
        "provisionedSpotCapacity": str(capacity.spot),
        "targetOnDemandCapacity": str(fleet.target_on_demand),
        "targetSpotCapacity": str(fleet.target_spot),
        "instanceFleetType": fleet.role,
        "instanceFleetId": fleet.id,
        "state": fleet.state,
    }
