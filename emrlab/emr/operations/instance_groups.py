"""Instance groups of a living cluster: added, resized, given other settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import errors, events, ids
from ..records import Cluster, Group, Instance
from ..registry import Call, operation
from ..requests import checks, group_request
from ..scaling import policies
from ..sizing import reconfiguration
from . import scaling

LIVING = ("RUNNING", "WAITING")
GROUPS = 50  # of a cluster: master, core, and up to 48 task instance groups ("Configure uniform instance groups")
# A group in these takes a new size. SUSPENDED: its last one could not be reached; a new one tries again.
RESIZABLE = ("RUNNING", "RESIZING", "SUSPENDED", "PROVISIONING", "BOOTSTRAPPING")
RECONFIGURABLE = ("RUNNING", "SUSPENDED", "ARRESTED")


@operation("AddInstanceGroups")
def add_instance_groups(call: Call, params: dict[str, Any]) -> dict[str, Any]:
    """Task instance groups join a running cluster; of the others each cluster has one from its launch."""
    cluster = call.job_flow(params["JobFlowId"])
    history = call.service.history
    asked = params["InstanceGroups"]
    if not asked:
        raise errors.validation("InstanceGroups is empty. Give at least one task instance group.")
    with history.transaction():
        check_living(call.job_flow(cluster.id))
        check_groups(cluster)
        have = [one for one in history.of(Group, cluster.id) if not one.over]
        for one in asked:
            role = one["InstanceRole"]
            if role != "TASK":
                raise errors.validation(
                    f"Only task instance groups can be added to a running cluster, not {role} ones."
                )
        if not any(one.role == "CORE" for one in have):
            raise errors.validation("A task instance group needs a core instance group beside it.")
        if len(have) + len(asked) > GROUPS:
            raise errors.validation(f"A cluster may have {GROUPS} instance groups.")
        new = [group_request.group(cluster.id, one, cluster.applications) for one in asked]
        policies.check_groups(cluster, new)
        checks.check_instances(sum(one.requested for one in [*have, *new]))
        history.add(*new)
        scaling.added(call.service, cluster, new)
    call.service.wake(cluster.id)
    arn = ids.cluster_arn(cluster.region, cluster.account, cluster.id)
    return {"JobFlowId": cluster.id, "InstanceGroupIds": [one.id for one in new], "ClusterArn": arn}


@operation("ModifyInstanceGroups")
def modify_instance_groups(call: Call, params: dict[str, Any]) -> None:
    """All of the changes or none."""
    history = call.service.history
    asked = params.get("InstanceGroups") or []
    clusters = set()
    with history.transaction():
        for one in asked:
            group = group_of(call, one["InstanceGroupId"], params.get("ClusterId"))
            cluster = call.job_flow(group.cluster)
            check_living(cluster)
            clusters.add(cluster.id)
            if "Configurations" in one:
                reconfigure(call, cluster, group, one)
            else:
                resize(call, group, one)
        for cluster_id in clusters:
            checks.check_instances(sum(one.requested for one in history.of(Group, cluster_id) if not one.over))
    for cluster_id in clusters:
        call.service.wake(cluster_id)


def group_of(call: Call, group_id: str, cluster_id: str | None) -> Group:
    """The caller's group. Raises for one that is not there, or in another cluster than said."""
    found = call.service.history.get(Group, group_id)
    cluster = None if found is None else call.service.history.get(Cluster, found.cluster)
    if found is None or cluster is None or not call.owns(cluster) or cluster_id not in (None, cluster.id):
        raise errors.invalid(f"Instance group id '{group_id}' is not valid.")
    return found


def resize(call: Call, group: Group, asked: Mapping[str, Any]) -> None:
    if group.role == "MASTER":
        raise errors.validation("The master instance group cannot be resized.")
    if group.state not in RESIZABLE:
        raise errors.validation(
            f"The instance group {group.id} is {group.state}: it can be resized when RUNNING, RESIZING or SUSPENDED."
        )
    history = call.service.history
    named = list(asked.get("EC2InstanceIdsToTerminate") or [])
    own = {one.ec2: one for one in history.of(Instance, group.cluster) if one.group == group.id and not one.over}
    policy = asked.get("ShrinkPolicy") or {}
    sizes = policy.get("InstanceResizePolicy") or {}
    for ec2 in (*named, *(sizes.get("InstancesToTerminate") or []), *(sizes.get("InstancesToProtect") or [])):
        if ec2 not in own:
            raise errors.validation(f"The instance {ec2} is not one of the instance group {group.id}.")
    count = asked.get("InstanceCount", group.requested - len(named))
    least = int(group.role == "CORE")
    if count < least:
        raise errors.validation(
            f"The {group.role.lower()} instance group needs at least {least} instances, not {count}."
        )
    with history.changing(Group, group.id) as now:
        now.requested = count
        now.at_once = named
        if "ShrinkPolicy" in asked:
            now.shrink = policy
        if now.state in ("RUNNING", "SUSPENDED") and (count != len(own) or named):
            running = sum(one.state == "RUNNING" for one in own.values())
            cluster = call.job_flow(group.cluster)
            call.service.events.say(events.capacity.resize_initiated(cluster, now, running))
            now.move("RESIZING")


def reconfigure(call: Call, cluster: Cluster, group: Group, asked: Mapping[str, Any]) -> None:
    if "InstanceCount" in asked or asked.get("EC2InstanceIdsToTerminate"):
        raise errors.validation(
            "Resizing and reconfiguring an instance group exclude each other. Ask for one, then the other."
        )
    if group.state not in RECONFIGURABLE:
        raise errors.validation(
            f"The instance group {group.id} is {group.state}: it can be reconfigured when it is RUNNING."
        )
    new = asked.get("Configurations") or []
    checks.check_configurations(new, cluster.applications)
    if asked.get("ReconfigurationType") == "MERGE":
        new = reconfiguration.merged(group.configurations, new)
    with call.service.history.changing(Group, group.id) as now:
        now.configurations = new
        now.version += 1
        running = call.service.history.of(Instance, cluster.id, ["RUNNING"])
        count = sum(one.group == group.id for one in running)
        call.service.events.say(events.reconfiguration.requested(cluster, now, count))
        now.move("RECONFIGURING")


def check_living(cluster: Cluster) -> None:
    if cluster.state not in LIVING:
        raise errors.validation("An instance group may only be modified when the job flow is running or waiting.")


def check_groups(cluster: Cluster) -> None:
    if cluster.collection != "INSTANCE_GROUP":
        raise errors.invalid(
            "Instance fleets and instance groups are mutually exclusive. The EMR cluster specified in the request uses "
            "instance fleets. The operation requires a cluster that uses instance groups."
        )
