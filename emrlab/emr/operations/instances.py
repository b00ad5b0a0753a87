"""Instance groups and instances, as they are."""

from __future__ import annotations

from typing import Any

from .. import errors, shapes
from ..paging import page
from ..records import Collection, Fleet, Group, Instance
from ..registry import Call, operation
from .instance_fleets import check_fleets
from .instance_groups import check_groups

PAGE = 500
LIVING = ("AWAITING_FULFILLMENT", "PROVISIONING", "BOOTSTRAPPING", "RUNNING")


@operation("ListInstanceGroups")
def list_instance_groups(call: Call, params: dict[str, Any]) -> dict[str, Any]:
    cluster = call.cluster(params["ClusterId"])
    check_groups(cluster)
    history = call.service.history
    running = [one.group for one in history.of(Instance, cluster.id, ["RUNNING"])]
    items, more = page(history.of(Group, cluster.id), params, PAGE)
    return {"InstanceGroups": [shapes.group(one, running.count(one.id)) for one in items], **more}


@operation("ListInstances")
def list_instances(call: Call, params: dict[str, Any]) -> dict[str, Any]:
    cluster = call.cluster(params["ClusterId"])
    by_group = [name for name in ("InstanceGroupId", "InstanceGroupTypes") if params.get(name)]
    by_fleet = [name for name in ("InstanceFleetId", "InstanceFleetType") if params.get(name)]
    if by_group:
        check_groups(cluster)
    if by_fleet:
        check_fleets(cluster)
    history = call.service.history
    of: list[Collection] = [*history.of(Group, cluster.id), *history.of(Fleet, cluster.id)]
    roles = params.get("InstanceGroupTypes") or [params[name] for name in by_fleet if name == "InstanceFleetType"]
    wanted = {one.id for one in of if not roles or one.role in roles}
    for name, said in (("InstanceGroupId", "Instance group"), ("InstanceFleetId", "Instance fleet")):
        if one_id := params.get(name):
            if one_id not in {one.id for one in of}:
                raise errors.invalid(f"{said} id '{one_id}' is not valid.")
            wanted &= {one_id}
    found = [one for one in history.of(Instance, cluster.id, params.get("InstanceStates") or ()) if one.group in wanted]
    items, more = page(found, params, PAGE)
    return {"Instances": [shapes.instance(one) for one in items], **more}
