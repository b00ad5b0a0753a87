"""Scaling and termination policies as EMR takes them: for a new cluster and for a living one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .. import errors
from ..records import Cluster, Fleet, Group
from . import auto_scaling as automatic
from . import managed_scaling as managed

IDLE = 3600  # seconds: "If you don't specify IdleTimeout, the value defaults to one hour"
SHORTEST, LONGEST = 60, 604800
BOTH = "A cluster has either managed scaling or automatic scaling policies of its instance groups. Remove the {} first."


def auto_termination(given: Mapping[str, Any]) -> dict[str, Any]:
    """Raises ``AwsError``."""
    seconds = given.get("IdleTimeout", IDLE)
    if not SHORTEST <= seconds <= LONGEST:
        raise errors.validation(f"IdleTimeout must be from {SHORTEST} to {LONGEST} seconds, not {seconds}.")
    return {"IdleTimeout": seconds}


def managed_scaling(given: Mapping[str, Any], cluster: Cluster, groups: Iterable[Group]) -> dict[str, Any]:
    """Raises ``AwsError``."""
    some = [one for one in groups if not one.over]
    if any(automatic.state(one.scaling) in automatic.LIVING for one in some):
        raise errors.validation(BOTH.format("automatic scaling policies"))
    if cluster.collection == "INSTANCE_GROUP" and not any(one.role == "CORE" for one in some):
        raise errors.validation(f"{managed.WRONG}The cluster has no core nodes: there is nothing to scale.")
    return managed.checked(given, cluster.collection)


def launched(cluster: Cluster, collections: Sequence[Group | Fleet], params: Mapping[str, Any]) -> None:
    """Give a new cluster the policies that RunJobFlow asks for. Raises ``AwsError``."""
    if params.get("AutoTerminationPolicy") is not None:
        cluster.auto_termination = auto_termination(params["AutoTerminationPolicy"])
    groups = [one for one in collections if isinstance(one, Group)]
    check_groups(cluster, groups)
    if params.get("ManagedScalingPolicy"):
        cluster.managed_scaling = managed_scaling(params["ManagedScalingPolicy"], cluster, groups)


def check_groups(cluster: Cluster, new: Iterable[Group]) -> None:
    """New groups may have automatic scaling policies, if their cluster may. Raises ``AwsError``."""
    if any(one.scaling for one in new):
        check_automatic(cluster)


def auto_scaling(given: Mapping[str, Any], role: str, cluster: Cluster) -> dict[str, Any]:
    """A group's new policy, PENDING. Raises ``AwsError``."""
    check_automatic(cluster)
    return automatic.policy(role, given, cluster.id)


def check_automatic(cluster: Cluster) -> None:
    if not cluster.settings.get("AutoScalingRole"):
        raise errors.validation(
            "An automatic scaling policy needs the cluster's AutoScalingRole, which can only be given when the cluster "
            "is created."
        )
    if cluster.managed_scaling:
        raise errors.validation(BOTH.format("managed scaling policy"))
