"""Instance fleets: list, add, modify. See "Configure instance fleets"."""

from __future__ import annotations

import time
from typing import Any

from .. import errors, events, ids, shapes
from ..paging import page
from ..records import Cluster, Fleet, Instance
from ..registry import Call, operation
from ..requests import checks, fleet_request

PAGE = 50
LIVING = ("RUNNING", "WAITING")


@operation("ListInstanceFleets")
def list_instance_fleets(call: Call, params: dict[str, Any]) -> dict[str, Any]:
    cluster = call.cluster(params["ClusterId"])
    check_fleets(cluster)
    history = call.service.history
    instances = history.of(Instance, cluster.id)
    items, more = page(history.of(Fleet, cluster.id), params, PAGE)
    return {"InstanceFleets": [shapes.fleet(one, instances) for one in items], **more}


@operation("AddInstanceFleet")
def add_instance_fleet(call: Call, params: dict[str, Any]) -> dict[str, Any]:
    """A task fleet joins a running cluster; it has at most one."""
    cluster = call.cluster(params["ClusterId"])
    asked, history = params["InstanceFleet"], call.service.history
    check_fleets(cluster)
    if asked["InstanceFleetType"] != "TASK":
        raise errors.invalid("Only a task instance fleet can be added to a running cluster.")
    with history.transaction():
        check_living(call.cluster(cluster.id))
        have = [one for one in history.of(Fleet, cluster.id) if not one.over]
        if any(one.role == "TASK" for one in have):
            raise errors.invalid("The cluster has a task instance fleet already. Modify that one.")
        if not any(one.role == "CORE" for one in have):
            raise errors.invalid("A task instance fleet needs a core instance fleet beside it.")
        new = fleet_request.fleet(cluster.id, asked, cluster.applications)
        new.since = time.time()
        check_units([*have, new])
        history.add(new)
    call.service.wake(cluster.id)
    arn = ids.cluster_arn(cluster.region, cluster.account, cluster.id)
    return {"ClusterId": cluster.id, "InstanceFleetId": new.id, "ClusterArn": arn}


@operation("ModifyInstanceFleet")
def modify_instance_fleet(call: Call, params: dict[str, Any]) -> None:
    """Other targets, other instance types. Targets that are not named stay."""
    cluster = call.cluster(params["ClusterId"])
    asked, history = params["InstanceFleet"], call.service.history
    check_fleets(cluster)
    with history.transaction():
        check_living(call.cluster(cluster.id))
        fleet = history.get(Fleet, asked["InstanceFleetId"])
        if fleet is None or fleet.cluster != cluster.id:
            raise errors.invalid(f"Instance fleet id '{asked['InstanceFleetId']}' is not valid.")
        if fleet.role == "MASTER":
            raise errors.invalid("The master instance fleet cannot be modified.")
        if fleet.over or fleet.state == "TERMINATING":
            raise errors.invalid(f"The instance fleet {fleet.id} is {fleet.state} and cannot be modified.")
        with history.changing(Fleet, fleet.id) as now:
            change(now, asked, cluster)
            tell(call, cluster, now, asked)
        check_units([one for one in history.of(Fleet, cluster.id) if not one.over])
    call.service.wake(cluster.id)


def tell(call: Call, cluster: Cluster, fleet: Fleet, asked: dict[str, Any]) -> None:
    have = events.Capacity.of(fleet, call.service.history.of(Instance, cluster.id, ["RUNNING"]))
    if {"InstanceTypeConfigs", "ResizeSpecifications", "Context"} & asked.keys():
        call.service.events.say(events.capacity.fleet_updated(cluster, fleet, have))
    if {"TargetOnDemandCapacity", "TargetSpotCapacity"} & asked.keys():
        call.service.events.say(events.capacity.resize_initiated(cluster, fleet, have))
    if fleet.state == "RECONFIGURING":
        call.service.events.say(events.reconfiguration.of_fleet(cluster, fleet, have, "requested"))


def settings_by_type(types: list[dict[str, Any]]) -> dict[str, Any]:
    return {one["InstanceType"]: one["Configurations"] for one in types if one.get("Configurations")}


def change(fleet: Fleet, asked: dict[str, Any], cluster: Cluster) -> None:
    settings: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
    if types := asked.get("InstanceTypeConfigs"):
        fleet_request.check_types(fleet.role, types, fleet.launch, cluster.applications)
        settings = settings_by_type(fleet.types), settings_by_type(types)
        fleet.last_good, fleet.types = fleet.types, types
    if "ResizeSpecifications" in asked:
        fleet_request.check_resize(asked["ResizeSpecifications"])
        fleet.resize = asked["ResizeSpecifications"]
    fleet.context = asked.get("Context", fleet.context)
    fleet.target_on_demand = asked.get("TargetOnDemandCapacity", fleet.target_on_demand)
    fleet.target_spot = asked.get("TargetSpotCapacity", fleet.target_spot)
    if fleet.role == "CORE" and fleet.target_on_demand + fleet.target_spot < 1:
        raise errors.invalid("The core instance fleet needs a target capacity of at least 1.")
    fleet.unmet, fleet.switched, fleet.since = 0, False, time.time()
    if fleet.state in ("RUNNING", "SUSPENDED"):
        # A resize follows by itself when it is through.
        fleet.move("RECONFIGURING" if settings[0] != settings[1] else "RESIZING")


def check_living(cluster: Cluster) -> None:
    if cluster.state not in LIVING:
        raise errors.invalid("An instance fleet may only be modified when the cluster is running or waiting.")


def check_fleets(cluster: Cluster) -> None:
    if cluster.collection != "INSTANCE_FLEET":
        raise errors.invalid(
            "Instance fleets and instance groups are mutually exclusive. The EMR cluster specified in the request uses "
            "instance groups. The operation requires a cluster that uses instance fleets."
        )


def check_units(fleets: list[Fleet]) -> None:
    """As many instances as this machine may be asked for, whatever their weights."""
    least = 0
    for one in fleets:
        weights = [config.get("WeightedCapacity") or 1 for config in one.types]
        least += -(-(one.target_on_demand + one.target_spot) // max(weights, default=1))
    checks.check_instances(least)
