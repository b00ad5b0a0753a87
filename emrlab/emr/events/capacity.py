"""Events of instances asked of EC2, at a cluster's start and at a resize, and of what keeps them from coming."""

from __future__ import annotations

from collections.abc import Iterable

from ..records import Cluster, Fleet, Group
from .event import Capacity, Event, Kind, event, fleet_fields, group_fields, listed, moment, named

INSUFFICIENT = "EC2 provisioning - Insufficient Instance Capacity"
MORE = (
    "Check https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-EC2_INSUFFICIENT_CAPACITY-error.html "
    "for more information on how to respond to this event."
)
FLEXIBLE = "https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-flexibility.html"
MARKETS = {"SPOT": "Spot", "ON_DEMAND": "On-Demand"}


def lacking(spot: Iterable[str], on_demand: Iterable[str], types: str) -> str:
    """Which markets have no instances of which types."""
    named_types = {"Spot": list(spot), "On-Demand": list(on_demand)}
    told = [
        f"insufficient {market} capacity for {types} {listed(some)}" for market, some in named_types.items() if some
    ]
    return " and ".join(told)


def cannot_start(
    cluster: Cluster,
    collection: Group | Fleet,
    have: int | Capacity,
    spot: Iterable[str] = (),
    on_demand: Iterable[str] = (),
    zones: Iterable[str] = (),
) -> Event:
    """EC2 has no instances of the types ``spot`` and ``on_demand`` for a cluster that starts.

    ``have``: running instances of a group, units of a fleet.
    """
    if isinstance(collection, Group):
        kind, what = Kind.GROUP_PROVISIONING, "Instance Group"
    else:
        kind, what = Kind.FLEET_PROVISIONING, "Instance Fleet"
    said = (
        f"We are not able to create your Amazon EMR cluster {named(cluster)} for {what} {collection.id} Amazon EC2 has "
        f"{lacking(spot, on_demand, 'Instance type')} in Availability Zone {listed(zones)}. {MORE}"
    )
    return event(kind, cluster, "WARN", said, eventCode=INSUFFICIENT, **fields(collection, have))


def cannot_resize(
    cluster: Cluster,
    collection: Group | Fleet,
    have: int | Capacity,
    since: float,
    spot: Iterable[str] = (),
    on_demand: Iterable[str] = (),
    zones: Iterable[str] = (),
) -> Event:
    """The same for a resize that began at ``since``. EMR says it again and again while it lasts."""
    zone = f"in Availability Zone {listed(zones)}"
    if isinstance(collection, Group):
        market = MARKETS[collection.market].replace("-", " ")
        said = (
            f"We are not able to complete the resize operation that started at {moment(since)} for Instance Group "
            f"{collection.id} in EMR cluster {named(cluster)} as Amazon EC2 has insufficient {market} capacity for "
            f"Instance type {listed([collection.instance_type])} {zone}. So far, the instance group has a running "
            f"instance count of {have} and requested instance count was {collection.requested}. {MORE}"
        )
        return event(Kind.GROUP_RESIZE, cluster, "WARNING", said, eventCode=INSUFFICIENT, **fields(collection, have))
    units = have if isinstance(have, Capacity) else Capacity(have)
    said = (
        f"We are not able to complete the resize operation for Instance Fleet {collection.id} in EMR cluster "
        f"{named(cluster)} as Amazon EC2 has {lacking(spot, on_demand, 'Instance types')} {zone}. So far, the "
        f"instance fleet has provisioned On-Demand capacity of {units.on_demand} and target On-Demand capacity was "
        f"{collection.target_on_demand}. Provisioned Spot capacity is {units.spot} and target Spot capacity was "
        f"{collection.target_spot}. {MORE}"
    )
    return event(Kind.FLEET_RESIZE, cluster, "WARNING", said, eventCode=INSUFFICIENT, **fields(collection, have))


def resize_timeout(cluster: Cluster, fleet: Fleet, have: Capacity, market: str, zone: str) -> Event:
    """A fleet's resize gives up on ``market`` (SPOT, ON_DEMAND). Say it while the fleet is RESIZING."""
    name = MARKETS[market]
    got, wanted = {
        "SPOT": (have.spot, fleet.target_spot),
        "ON_DEMAND": (have.on_demand, fleet.target_on_demand),
    }[market]
    said = (
        f"The Resize operation for Instance Fleet {fleet.id} in Amazon EMR cluster {named(cluster)} was not able to "
        f"complete while acquiring {name} capacity in AZ {zone}. We have now cancelled your request and stopped trying "
        f"to provision any additional {name} capacity and the Instance Fleet has provisioned {name} capacity of {got}. "
        f"Target {name} capacity was {wanted}. For more information and recommended actions, please check the "
        f"documentation page {FLEXIBLE} and retry again."
    )
    code = f"{name} Provisioning timeout"
    return event(Kind.FLEET_RESIZE, cluster, "ERROR", said, eventCode=code, **fleet_fields(fleet, have))


def resize_goes_on(
    cluster: Cluster,
    fleet: Fleet,
    have: Capacity,
    market: str,
    zone: str,
    types: Iterable[str],
    since: float,
    before: tuple[float, int, int],
) -> Event:
    """A resize timed out and another, begun at ``since``, follows. ``before``: when that one began, got and wanted."""
    name, (began, got, wanted) = MARKETS[market], before
    said = (
        f"We're still provisioning {name} capacity for the Instance Fleet resize operation that initiated at "
        f"{moment(since)} for instance fleet ID {fleet.id} in Amazon EMR cluster {named(cluster)} for {listed(types)} "
        f"in AZ {zone}. For the previous resize operation that initiated at {moment(began)}, the timeout period "
        f"expired, so Amazon EMR stopped provisioning {name} capacity after adding {got} of the requested {wanted} "
        f"instances to your instance fleet. For more information, please check the documentation page {FLEXIBLE}."
    )
    code = f"{name} Provisioning Timeout - Continuing Resize"
    return event(Kind.FLEET_RESIZE, cluster, "WARNING", said, eventCode=code, **fleet_fields(fleet, have))


def resize_initiated(cluster: Cluster, collection: Group | Fleet, have: int | Capacity, entity: str = "user") -> Event:
    """Somebody asks for another size. ``entity``: user, an Auto Scaling policy, managed scaling."""
    if isinstance(collection, Group):
        said = f"A resize for instance group {collection.id}"
    else:
        said = f"A resizing operation for instance fleet {collection.id}"
    said += f" in Amazon EMR cluster {named(cluster)} was initiated by {entity} at {moment()}."
    return note(cluster, collection, have, "INFO", said)


def resize_stuck(cluster: Cluster, collection: Group | Fleet, have: int | Capacity, reason: str) -> Event:
    what = "instance group" if isinstance(collection, Group) else "instance fleet"
    said = (
        f"The resizing operation for {what} {collection.id} in Amazon EMR cluster {named(cluster)} is stuck for the "
        f"following reason: {reason}."
    )
    return note(cluster, collection, have, "WARNING", said)


def spot_given_up(cluster: Cluster, fleet: Fleet, have: Capacity, zone: str) -> Event:
    said = (
        f"The resizing operation for instance fleet {fleet.id} in Amazon EMR cluster {named(cluster)} couldn't "
        f"complete while Amazon EMR added Spot capacity in availability zone {zone}. We've cancelled your request to "
        f"provision additional Spot capacity. For recommended actions, check {FLEXIBLE} and try again."
    )
    return note(cluster, fleet, have, "INFO", said)


def fleet_updated(cluster: Cluster, fleet: Fleet, have: Capacity) -> Event:
    """ModifyInstanceFleet has changed what the fleet is made of. AWS publishes the name of this event alone."""
    said = f"Instance fleet {fleet.id} in Amazon EMR cluster {named(cluster)} was updated at {moment()}."
    return event(Kind.FLEET_UPDATE, cluster, "INFO", said, **fleet_fields(fleet, have))


def note(cluster: Cluster, collection: Group | Fleet, have: int | Capacity, severity: str, said: str) -> Event:
    """Something about a group or fleet that is no change of its state."""
    kind = Kind.GROUP_NOTE if isinstance(collection, Group) else Kind.FLEET_NOTE
    return event(kind, cluster, severity, said, **fields(collection, have))


def fields(collection: Group | Fleet, have: int | Capacity) -> dict[str, str | None]:
    if isinstance(collection, Group):
        return group_fields(collection, have if isinstance(have, int) else have.on_demand + have.spot)
    return fleet_fields(collection, have if isinstance(have, Capacity) else Capacity(have))
