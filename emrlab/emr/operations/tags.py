"""Tags of clusters."""

from __future__ import annotations

from typing import Any

from .. import errors, request
from ..records import Cluster
from ..registry import Call, operation

MOST = 50  # user tags of one resource ("Tag and categorize Amazon EMR cluster resources")


@operation("AddTags")
def add_tags(call: Call, params: dict[str, Any]) -> None:
    cluster = resource(call, params["ResourceId"])
    new = request.tags(params["Tags"])
    with call.service.history.changing(Cluster, cluster.id) as now:
        if len(now.tags | new) > MOST:
            raise errors.invalid(f"A cluster may have {MOST} tags.")
        now.tags |= new


@operation("RemoveTags")
def remove_tags(call: Call, params: dict[str, Any]) -> None:
    cluster = resource(call, params["ResourceId"])
    with call.service.history.changing(Cluster, cluster.id) as now:
        for name in params["TagKeys"]:
            now.tags.pop(name, None)


def resource(call: Call, resource_id: str) -> Cluster:
    """The cluster that a resource id means. Studios have tags too, and are not built."""
    if resource_id.startswith("es-"):
        raise errors.not_built("An EMR Studio")
    return call.cluster(resource_id)
