"""Instance groups and instances."""

from __future__ import annotations

from typing import Any

from .. import errors, shapes
from ..paging import page
from ..records import Group, Instance
from ..registry import Call, operation

PAGE = 500
LIVING = ("AWAITING_FULFILLMENT", "PROVISIONING", "BOOTSTRAPPING", "RUNNING")


@operation("ListInstanceGroups")
def list_instance_groups(call: Call, params: dict[str, Any]) -> dict[str, Any]:
    cluster = call.cluster(params["ClusterId"])
    history = call.service.history
    running = [one.group for one in history.of(Instance, cluster.id, ["RUNNING"])]
    items, more = page(history.of(Group, cluster.id), params, PAGE)
    return {"InstanceGroups": [shapes.group(one, running.count(one.id)) for one in items], **more}


@operation("ListInstances")
def list_instances(call: Call, params: dict[str, Any]) -> dict[str, Any]:
    cluster = call.cluster(params["ClusterId"])
    if params.get("InstanceFleetId") or params.get("InstanceFleetType"):
        raise errors.invalid(
            "Instance fleets and instance groups are mutually exclusive, and this cluster uses instance groups."
        )
    history = call.service.history
    groups = history.of(Group, cluster.id)
    wanted = {one.id for one in groups}
    if params.get("InstanceGroupTypes"):
        wanted = {one.id for one in groups if one.role in params["InstanceGroupTypes"]}
    if group_id := params.get("InstanceGroupId"):
        if group_id not in {one.id for one in groups}:
            raise errors.invalid(f"Instance group id '{group_id}' is not valid.")
        wanted &= {group_id}
    found = [one for one in history.of(Instance, cluster.id, params.get("InstanceStates") or ()) if one.group in wanted]
    items, more = page(found, params, PAGE)
    return {"Instances": [shapes.instance(one) for one in items], **more}
