"""EC2's own events about EMR's instances. See "Amazon EC2 instance state change events" and "Spot Instance
interruption notices" of the EC2 User Guide."""

from __future__ import annotations

from ..records import Cluster, Instance
from .event import Event

SOURCE = "aws.ec2"
# An instance's state of EMR's, and those of EC2's that it has gone through.
STATES = {
    "PROVISIONING": ("pending",),
    "BOOTSTRAPPING": ("running",),
    "TERMINATED": ("shutting-down", "terminated"),
}


def about(cluster: Cluster, instance: Instance, kind: str, **detail: str) -> Event:
    named = {"instance-id": instance.ec2, **{name.replace("_", "-"): value for name, value in detail.items()}}
    arn = f"arn:aws:ec2:{cluster.region}:{cluster.account}:instance/{instance.ec2}"
    return Event(kind, cluster.id, cluster.account, cluster.region, named, SOURCE, [arn])


def state_changes(cluster: Cluster, instance: Instance) -> list[Event]:
    states = STATES.get(instance.state, ())
    return [about(cluster, instance, "EC2 Instance State-change Notification", state=state) for state in states]


def interruption(cluster: Cluster, instance: Instance) -> Event:
    """The two-minute notice: this spot instance will be taken away."""
    return about(cluster, instance, "EC2 Spot Instance Interruption Warning", instance_action="terminate")


def rebalance(cluster: Cluster, instance: Instance) -> Event:
    """This spot instance is at elevated risk of an interruption."""
    return about(cluster, instance, "EC2 Instance Rebalance Recommendation")
