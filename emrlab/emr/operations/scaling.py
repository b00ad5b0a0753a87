"""Scaling and termination policies: automatic scaling of a group, managed scaling and auto-termination of a cluster."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .. import errors, ids, states
from ..events import scaling as events
from ..records import Cluster, Collection, Group
from ..registry import Call, operation
from ..scaling import auto_scaling, policies

if TYPE_CHECKING:
    from ..service import EmrService


def open_cluster(call: Call, cluster_id: str) -> Cluster:
    found = call.cluster(cluster_id)
    if found.state not in states.OPEN:
        raise errors.ended()
    return found


def keep(call: Call, cluster: Cluster, name: str, value: dict[str, Any]) -> None:
    with call.service.history.changing(Cluster, cluster.id) as now:
        setattr(now, name, value)
    call.service.wake(cluster.id)


# Auto-termination


@operation("PutAutoTerminationPolicy")
def put_auto_termination_policy(call: Call, params: dict[str, Any]) -> None:
    cluster = open_cluster(call, params["ClusterId"])
    keep(call, cluster, "auto_termination", policies.auto_termination(params.get("AutoTerminationPolicy") or {}))


@operation("GetAutoTerminationPolicy")
def get_auto_termination_policy(call: Call, params: dict[str, Any]) -> dict[str, Any]:
    found = call.cluster(params["ClusterId"]).auto_termination
    return {"AutoTerminationPolicy": found} if found else {}


@operation("RemoveAutoTerminationPolicy")
def remove_auto_termination_policy(call: Call, params: dict[str, Any]) -> None:
    keep(call, open_cluster(call, params["ClusterId"]), "auto_termination", {})


# Managed scaling


@operation("PutManagedScalingPolicy")
def put_managed_scaling_policy(call: Call, params: dict[str, Any]) -> None:
    cluster = open_cluster(call, params["ClusterId"])
    groups = call.service.history.of(Group, cluster.id)
    policy = policies.managed_scaling(params["ManagedScalingPolicy"], cluster, groups)
    keep(call, cluster, "managed_scaling", policy)


@operation("GetManagedScalingPolicy")
def get_managed_scaling_policy(call: Call, params: dict[str, Any]) -> dict[str, Any]:
    found = call.cluster(params["ClusterId"]).managed_scaling
    return {"ManagedScalingPolicy": found} if found else {}


@operation("RemoveManagedScalingPolicy")
def remove_managed_scaling_policy(call: Call, params: dict[str, Any]) -> None:
    """The cluster stays as large as it is."""
    keep(call, open_cluster(call, params["ClusterId"]), "managed_scaling", {})


# Automatic scaling


def added(service: EmrService, cluster: Cluster, collections: Iterable[Collection]) -> None:
    """Tell of the policies that new groups came with."""
    for one in collections:
        if isinstance(one, Group) and one.scaling:
            service.events.say(events.policy_added(cluster, one))


def group_of(call: Call, params: dict[str, Any]) -> tuple[Cluster, Group]:
    cluster = open_cluster(call, params["ClusterId"])
    if cluster.collection != "INSTANCE_GROUP":
        raise errors.invalid(
            "Instance fleets and instance groups are mutually exclusive. The EMR cluster specified in the request uses "
            "instance fleets. The operation requires a cluster that uses instance groups."
        )
    group = call.service.history.get(Group, params["InstanceGroupId"])
    if group is None or group.cluster != cluster.id:
        raise errors.invalid(f"Instance group id '{params['InstanceGroupId']}' is not valid.")
    return cluster, group


@operation("PutAutoScalingPolicy")
def put_auto_scaling_policy(call: Call, params: dict[str, Any]) -> dict[str, Any]:
    cluster, group = group_of(call, params)
    if group.over:
        raise errors.validation(f"The instance group {group.id} is {group.state}: it can no longer be scaled.")
    policy = policies.auto_scaling(params["AutoScalingPolicy"], group.role, cluster)
    with call.service.history.changing(Group, group.id) as now:
        known = auto_scaling.state(now.scaling) in auto_scaling.LIVING
        now.scaling = policy
    tell = events.policy_updated if known else events.policy_added
    call.service.events.say(tell(cluster, now))
    return {
        "ClusterId": cluster.id,
        "InstanceGroupId": group.id,
        "AutoScalingPolicy": policy,
        "ClusterArn": ids.cluster_arn(cluster.region, cluster.account, cluster.id),
    }


@operation("RemoveAutoScalingPolicy")
def remove_auto_scaling_policy(call: Call, params: dict[str, Any]) -> None:
    """Its alarms go in a moment: until then it is DETACHING."""
    _, group = group_of(call, params)
    with call.service.history.changing(Group, group.id) as now:
        if auto_scaling.state(now.scaling) in (*auto_scaling.LIVING, "FAILED"):
            now.scaling = {**now.scaling, **auto_scaling.status("DETACHING", code="USER_REQUEST")}
