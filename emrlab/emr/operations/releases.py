"""Release labels and the instance types a release takes."""

from __future__ import annotations

from typing import Any

from ...applications import catalogue
from .. import releases
from ..instance_types import all_types
from ..paging import page
from ..registry import Call, operation

PAGE = 100
TYPES_PAGE = 1000


@operation("ListReleaseLabels")
def list_release_labels(call: Call, params: dict[str, Any]) -> dict[str, Any]:
    filters = params.get("Filters") or {}
    found = releases.labels(filters.get("Prefix", ""), filters.get("Application", ""))
    items, more = page(found, params, params.get("MaxResults", PAGE), "NextToken")
    return {"ReleaseLabels": items, **more}


@operation("DescribeReleaseLabel")
def describe_release_label(call: Call, params: dict[str, Any]) -> dict[str, Any]:
    """Without a label: the newest. The applications' versions are the locks', which EMR's own come close to."""
    label = releases.check(params.get("ReleaseLabel") or releases.LABELS[0])
    found = sorted(catalogue().values(), key=lambda one: one.name)
    items, more = page(found, params, params.get("MaxResults", PAGE), "NextToken")
    told = [{"Name": one.name, "Version": one.version} for one in items]
    return {"ReleaseLabel": label, "Applications": told, "AvailableOSReleases": [], **more}


@operation("ListSupportedInstanceTypes")
def list_supported_instance_types(call: Call, params: dict[str, Any]) -> dict[str, Any]:
    releases.check(params["ReleaseLabel"])
    items, more = page(list(all_types().values()), params, TYPES_PAGE)
    return {"SupportedInstanceTypes": [one.told() for one in items], **more}
