"""EMR's operations, by what they are about. Importing a module here registers its operations."""

from . import clusters, instance_groups, instances, notebooks, releases, steps, tags

__all__ = ["clusters", "instance_groups", "instances", "notebooks", "releases", "steps", "tags"]
