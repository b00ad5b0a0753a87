"""EMR's operations, by what they are about. Importing a module here registers its operations."""

from . import (
    app_uis,
    attributes,
    clusters,
    instance_fleets,
    instance_groups,
    instances,
    job_flows,
    notebooks,
    public_access,
    releases,
    scaling,
    security_configurations,
    steps,
    studio_sessions,
    studios,
    tags,
)

__all__ = [
    "app_uis",
    "attributes",
    "clusters",
    "instance_fleets",
    "instance_groups",
    "instances",
    "job_flows",
    "notebooks",
    "public_access",
    "releases",
    "scaling",
    "security_configurations",
    "steps",
    "studio_sessions",
    "studios",
    "tags",
]
