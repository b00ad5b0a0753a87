"""What a caller must be allowed for each operation: actions, resources and condition keys.

See "Actions, resources, and condition keys for Amazon Elastic MapReduce" (Service Authorization Reference). The region
asks for a request's demands when its signer is not the account's root, and has IAM evaluate them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ...context import Demand
from . import roles

if TYPE_CHECKING:
    from ..registry import Call

Params = Mapping[str, Any]
EMR, EC2, SCALING = "elasticmapreduce.amazonaws.com", "ec2.amazonaws.com", "application-autoscaling.amazonaws.com"
ANY = "*"

# Operations whose action takes no resource: Resource must be "*".
WITHOUT = frozenset(
    (
        *("ListClusters", "ListStudios", "ListNotebookExecutions", "ListReleaseLabels", "DescribeReleaseLabel"),
        *("ListSupportedInstanceTypes", "GetBlockPublicAccessConfiguration", "PutBlockPublicAccessConfiguration"),
        *("CreateSecurityConfiguration", "DeleteSecurityConfiguration"),
        *("DescribeSecurityConfiguration", "ListSecurityConfigurations"),
    )
)
# What a request names its resource with, and that resource's type. Everything else is about clusters.
NAMED = {"StudioId": "studio", "NotebookExecutionId": "notebook-execution"}
PREFIXES = {"j-": "cluster", "es-": "studio", "ex-": "notebook-execution", "e-": "editor"}
# Roles that an operation hands on, and the services that will assume them.
PASSED = {
    "RunJobFlow": {"ServiceRole": (EMR,), "AutoScalingRole": (SCALING,)},
    "CreateStudio": {"ServiceRole": (EMR,), "UserRole": (EMR,)},
    "StartNotebookExecution": {"ServiceRole": (EMR,)},
    "StartSession": {"ExecutionRoleArn": (EMR,)},
}


def demands(call: Call, operation: str, params: Params) -> list[Demand]:
    """All of it must be allowed, in this order."""
    action = f"elasticmapreduce:{operation}"
    asked = request_keys(params)
    found = []
    for resource in resources(call, operation, params):
        found.append(Demand(action, resource, asked | resource_keys(call, resource)))
    return [*found, *passed(call, operation, params)]


def resources(call: Call, operation: str, params: Params) -> list[str]:
    """The ARNs that an operation is about."""
    if operation in WITHOUT:
        return [ANY]
    if operation == "RunJobFlow":
        return [arn(call, "cluster", ANY)]
    if operation == "CreateStudio":
        return [arn(call, "studio", ANY)]
    if operation == "StartNotebookExecution":
        # An execution that names a notebook in S3 has no editor.
        found = [arn(call, "cluster", (params.get("ExecutionEngine") or {}).get("Id") or ANY)]
        return [*found, *([arn(call, "editor", params["EditorId"])] if params.get("EditorId") else [])]
    if target := params.get("TargetResourceArn"):
        return [target]
    for member, kind in NAMED.items():
        if params.get(member):
            return [arn(call, kind, params[member])]
    if resource_id := params.get("ResourceId"):
        kind = next((kind for prefix, kind in PREFIXES.items() if resource_id.startswith(prefix)), "cluster")
        return [arn(call, kind, resource_id)]
    if params.get("ClusterId") and params.get("SessionId"):
        return [arn(call, "cluster", f"{params['ClusterId']}/session/{params['SessionId']}")]
    return [arn(call, "cluster", cluster_id) for cluster_id in clusters(call, params)]


def clusters(call: Call, params: Params) -> list[str]:
    """The clusters that a request is about: named, or those of the groups and interfaces it names."""
    if named := params.get("JobFlowIds"):
        return list(dict.fromkeys(named))
    if named := params.get("ClusterId") or params.get("JobFlowId"):
        return [named]
    parts = [one.get("InstanceGroupId") for one in params.get("InstanceGroups") or ()]
    parts.append(params.get("PersistentAppUIId"))
    found = [record.get("cluster") for record in map(call.service.history.body, filter(None, parts)) if record]
    return list(dict.fromkeys(filter(None, found))) or [ANY]


def passed(call: Call, operation: str, params: Params) -> list[Demand]:
    """``iam:PassRole`` for the roles that a request hands on. One that does not exist cannot be passed: EMR says so."""
    found = []
    if operation == "RunJobFlow" and params.get("JobFlowRole"):
        profile = roles.profile(call.service.endpoint, call.context.account, params["JobFlowRole"])
        if profile and profile.role:
            found.append(pass_role(profile.role_arn, EC2))
    for member, services in PASSED.get(operation, {}).items():
        if params.get(member):
            role = roles.role_arn(call.context.account, params[member])
            found += [pass_role(role, service) for service in services]
    return found


def pass_role(role: str, service: str) -> Demand:
    return Demand("iam:PassRole", role, {"iam:PassedToService": service})


def request_keys(params: Params) -> dict[str, Any]:
    """Condition keys that the request itself gives."""
    tags = {one.get("Key", ""): one.get("Value", "") for one in params.get("Tags") or ()}
    names = [*tags, *(params.get("TagKeys") or ())]
    found: dict[str, Any] = both("RequestTag", tags)
    if names:
        found["aws:TagKeys"] = names
    if role := params.get("ExecutionRoleArn"):
        found["elasticmapreduce:ExecutionRoleArn"] = role
    return found


def resource_keys(call: Call, resource: str) -> dict[str, Any]:
    """Condition keys of the resource's tags. A session's are its own, not its cluster's."""
    record = call.service.history.body(resource.rpartition("/")[2])
    if not record or (record.get("account"), record.get("region")) not in (
        (call.context.account, call.context.region),
        (None, None),
    ):
        return {}
    return both("ResourceTag", plain(record.get("tags") or {}))


def plain(tags: Mapping[str, str] | Iterable[Mapping[str, str]]) -> dict[str, str]:
    if isinstance(tags, Mapping):
        return dict(tags)
    return {one.get("Key", ""): one.get("Value", "") for one in tags}


def both(kind: str, tags: Mapping[str, str]) -> dict[str, Any]:
    """EMR's own condition keys and the global ones say the same."""
    return {f"{prefix}:{kind}/{name}": value for name, value in tags.items() for prefix in ("elasticmapreduce", "aws")}


def arn(call: Call, kind: str, name: str) -> str:
    return f"arn:aws:elasticmapreduce:{call.context.region}:{call.context.account}:{kind}/{name}"
