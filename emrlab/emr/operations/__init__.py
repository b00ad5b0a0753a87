"""EMR's operations, by what they are about. Importing a module here registers its operations."""

from . import (
    attributes,
    clusters,
    instance_groups,
    instances,
    job_flows,
    notebooks,
    public_access,
    releases,
    security_configurations,
    steps,
    studio_sessions,
    studios,
    tags,
)

__all__ = [
    "attributes",
    "clusters",
    "instance_groups",
    "instances",
    "job_flows",
    "notebooks",
    "public_access",
    "releases",
    "security_configurations",
    "steps",
    "studio_sessions",
    "studios",
    "tags",
]
