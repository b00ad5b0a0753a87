"""Events of nodes and applications that are not well."""

from __future__ import annotations

from ..records import Cluster, Fleet, Group, Instance
from .event import Event, Kind, event, named


def unhealthy(cluster: Cluster, instance: Instance, collection: Group | Fleet) -> Event:
    """A core node is UNHEALTHY; what happens next depends on the cluster's UnhealthyNodeReplacement (None: on)."""
    who = f"Amazon EMR has identified that core instance {where(cluster, instance, collection)} is UNHEALTHY. "
    if cluster.replaces_unhealthy is False:
        said = (
            "Turn on graceful unhealthy core node replacement in your cluster to let Amazon EMR gracefully replace the "
            "UNHEALTHY instances in the event that they can’t be recovered."
        )
        return of("Core node unhealthy - replacement disabled", "INFO", who + said, cluster, instance, collection)
    said = "Amazon EMR will attempt to recover or gracefully replace the UNHEALTHY instance."
    return of("Unhealthy core node detected", "INFO", who + said, cluster, instance, collection)


def not_replaced(cluster: Cluster, instance: Instance, collection: Group | Fleet, reason: str) -> Event:
    said = f"Amazon EMR can't replace your UNHEALTHY core instance {where(cluster, instance, collection)} because of "
    return of("Unhealthy core node not replaced", "WARN", f"{said}{reason}.", cluster, instance, collection)


def recovered(cluster: Cluster, instance: Instance, collection: Group | Fleet) -> Event:
    said = f"Amazon EMR has recovered your UNHEALTHY core instances {where(cluster, instance, collection)}"
    return of("Unhealthy core node recovered", "INFO", said, cluster, instance, collection)


def where(cluster: Cluster, instance: Instance, collection: Group | Fleet) -> str:
    what = "InstanceGroup" if isinstance(collection, Group) else "InstanceFleet"
    return f"[{instance.ec2} ({instance.name})] in {what} {collection.id} in the Amazon EMR cluster {named(cluster)}"


def of(code: str, severity: str, said: str, cluster: Cluster, instance: Instance, collection: Group | Fleet) -> Event:
    name = "instanceGroup" if isinstance(collection, Group) else "instanceFleet"
    return event(
        Kind.UNHEALTHY_NODE,
        cluster,
        severity,
        said,
        eventCode=code,
        instanceId=instance.ec2,
        **{f"{name}Id": collection.id, f"{name}Type": collection.role},
    )


def application(cluster: Cluster, instance: Instance, name: str, state: str, said: str) -> Event:
    """A daemon of ``instance`` is UNHEALTHY, or HEALTHY again. AWS publishes the name of this event alone."""
    severity = "INFO" if state == "HEALTHY" else "WARN"
    return event(Kind.APPLICATION_HEALTH, cluster, severity, said, name=name, instanceId=instance.ec2, state=state)
