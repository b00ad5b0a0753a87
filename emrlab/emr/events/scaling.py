"""Events of scaling policies: automatic (a group's) and managed (the cluster's)."""

from __future__ import annotations

from ..records import Cluster, Fleet, Group
from .event import Event, Kind, event, moment, named


def policy(cluster: Cluster, group: Group, state: str, said: str, severity: str = "INFO") -> Event:
    return event(
        Kind.AUTO_SCALING_POLICY,
        cluster,
        severity,
        said,
        resourceId=group.id,
        scalingResourceType="INSTANCE_GROUP",
        state=state,
    )


def where(cluster: Cluster, group: Group) -> str:
    return f"instance group {group.id} in Amazon EMR cluster {named(cluster)}"


def policy_added(cluster: Cluster, group: Group) -> Event:
    """PENDING, for the first time."""
    said = f"An Auto Scaling policy was added to {where(cluster, group)} at {moment()}. "
    return policy(cluster, group, "PENDING", said + "The policy is pending attachment.")


def policy_updated(cluster: Cluster, group: Group) -> Event:
    """PENDING again."""
    said = f"The Auto Scaling policy for {where(cluster, group)} was updated at {moment()}. "
    return policy(cluster, group, "PENDING", said + "The policy is pending attachment.")


def policy_attached(cluster: Cluster, group: Group) -> Event:
    said = f"The Auto Scaling policy for {where(cluster, group)} was attached at {moment()}."
    return policy(cluster, group, "ATTACHED", said)


def policy_detached(cluster: Cluster, group: Group) -> Event:
    said = f"The Auto Scaling policy for {where(cluster, group)} was detached at {moment()}."
    return policy(cluster, group, "DETACHED", said)


def policy_failed(cluster: Cluster, group: Group, attaching: bool = True) -> Event:
    what = "attach" if attaching else "detach"
    said = f"The Auto Scaling policy for {where(cluster, group)} could not {what} and failed at {moment()}."
    return policy(cluster, group, "FAILED", said, "ERROR")


def managed(cluster: Cluster, collection: Group | Fleet, wanted: int, had: int) -> Event:
    """Managed scaling asks ``collection`` for ``wanted`` units (instances, capacity) instead of ``had``.

    AWS publishes the name of this event alone.
    """
    group = isinstance(collection, Group)
    what = "instance group" if group else "instance fleet"
    return event(
        Kind.MANAGED_SCALING,
        cluster,
        "INFO",
        f"Managed scaling of Amazon EMR cluster {named(cluster)} is resizing {what} {collection.id} "
        f"from {had} to {wanted} units at {moment()}.",
        resourceId=collection.id,
        scalingResourceType="INSTANCE_GROUP" if group else "INSTANCE_FLEET",
    )
