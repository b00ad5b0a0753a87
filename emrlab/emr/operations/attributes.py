"""What of a cluster can be changed while it runs."""

from __future__ import annotations

from typing import Any

from .. import errors, states
from ..records import Cluster
from ..registry import Call, operation
from ..requests.request import STEPS
from .clusters import change


@operation("SetVisibleToAllUsers")
def set_visible_to_all_users(call: Call, params: dict[str, Any]) -> None:
    """Told by DescribeCluster; as on EMR today, it hides nothing: IAM policies say who sees a cluster."""
    change(call, params["JobFlowIds"], "visible", params["VisibleToAllUsers"])


@operation("SetUnhealthyNodeReplacement")
def set_unhealthy_node_replacement(call: Call, params: dict[str, Any]) -> None:
    change(call, params["JobFlowIds"], "replaces_unhealthy", params["UnhealthyNodeReplacement"])


@operation("ModifyCluster")
def modify_cluster(call: Call, params: dict[str, Any]) -> dict[str, Any]:
    """How many steps run at a time, from now on: those that run go on."""
    cluster_id = call.cluster(params["ClusterId"]).id
    level = params.get("StepConcurrencyLevel")
    if level is not None and not 1 <= level <= STEPS:
        raise errors.invalid(f"StepConcurrencyLevel must be from 1 to {STEPS}.")
    with call.service.history.changing(Cluster, cluster_id) as now:
        if now.state not in states.OPEN:
            raise errors.invalid(f"Cluster '{cluster_id}' is {now.state} and cannot be modified.")
        if level is not None:
            now.step_concurrency = level
        if params.get("ExtendedSupport") is not None:
            now.extended_support = params["ExtendedSupport"]
    call.service.wake(cluster_id)
    return {"StepConcurrencyLevel": now.step_concurrency, "ExtendedSupport": now.extended_support}


@operation("GetClusterSessionCredentials")
def get_cluster_session_credentials(call: Call, params: dict[str, Any]) -> dict[str, Any]:
    """Credentials of a runtime role, for a cluster whose security configuration enables such roles.

    A cluster of emrlab has none: RunJobFlow refuses a security configuration that asks for them.
    """
    call.cluster(params["ClusterId"])
    raise errors.invalid(
        "Runtime roles are not supported on this cluster. They need a security configuration with "
        "EnableApplicationScopedIAMRole."
    )
