"""Tags of clusters and of whatever else has them."""

from __future__ import annotations

from typing import Any

from .. import errors
from ..records import Cluster, Record
from ..registry import Call, operation
from ..requests import request

MOST = 50  # user tags of one resource ("Tag and categorize Amazon EMR cluster resources")
# How its id begins → a record type with ``tags``, ``account`` and ``region``. Anything else is a cluster's.
TAGGED: dict[str, type[Any]] = {}


@operation("AddTags")
def add_tags(call: Call, params: dict[str, Any]) -> None:
    found = resource(call, params["ResourceId"])
    new = request.tags(params["Tags"])
    with call.service.history.changing(type(found), found.id) as now:
        if len(now.tags | new) > MOST:
            raise errors.invalid(f"A {'cluster' if type(found) is Cluster else 'resource'} may have {MOST} tags.")
        now.tags |= new


@operation("RemoveTags")
def remove_tags(call: Call, params: dict[str, Any]) -> None:
    found = resource(call, params["ResourceId"])
    with call.service.history.changing(type(found), found.id) as now:
        for name in params["TagKeys"]:
            now.tags.pop(name, None)


def resource(call: Call, resource_id: str) -> Any:
    """The caller's record that a resource id means."""
    kind: type[Record] | None = next((one for prefix, one in TAGGED.items() if resource_id.startswith(prefix)), None)
    if kind is not None:
        found: Any = call.service.history.get(kind, resource_id)
        if found is None or not call.owns(found):
            raise errors.invalid(f"Resource id '{resource_id}' is not valid.")
        return found
    return call.cluster(resource_id)
