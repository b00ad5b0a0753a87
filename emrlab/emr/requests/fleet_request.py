"""The parameters of instance fleets: what EMR does not take is refused here, the rest becomes records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from .. import ids
from ..errors import validation
from ..records import Fleet
from . import checks

# "When you use an allocation strategy, you can include a maximum of 30 instance type configurations for a fleet.
# Without an allocation strategy, you may specify a maximum of five" (InstanceTypeConfig).
TYPES, TYPES_WITH_STRATEGY = 5, 30
LAUNCH_MINUTES = (5, 1440)  # SpotProvisioningSpecification
RESIZE_MINUTES = (5, 10080)  # SpotResizingSpecification, OnDemandResizingSpecification


def fleets(cluster_id: str, asked: Sequence[Mapping[str, Any]], applications: list[str]) -> list[Fleet]:
    """The fleets of a new cluster ("One instance fleet, and only one, per node type"). Raises ``AwsError``."""
    made = [fleet(cluster_id, one, applications) for one in asked]
    roles = Counter(one.role for one in made)
    for role, count in roles.items():
        if count > 1:
            raise validation(f"A cluster has one instance fleet per node type. InstanceFleets has {count} of {role}.")
    if "MASTER" not in roles:
        raise validation("A cluster has exactly one master instance fleet. InstanceFleets has none.")
    if "TASK" in roles and "CORE" not in roles:
        raise validation("A task instance fleet needs a core instance fleet beside it.")
    return made


def fleet(cluster_id: str, asked: Mapping[str, Any], applications: list[str]) -> Fleet:
    """The record of one ``InstanceFleetConfig``. Raises ``AwsError``."""
    role = asked["InstanceFleetType"]
    targets = asked.get("TargetOnDemandCapacity") or 0, asked.get("TargetSpotCapacity") or 0
    check_targets(role, *targets)
    launch, resize = asked.get("LaunchSpecifications") or {}, asked.get("ResizeSpecifications") or {}
    check_launch(launch)
    check_resize(resize)
    types = list(asked.get("InstanceTypeConfigs") or [])
    check_types(role, types, launch, applications)
    return Fleet(
        id=ids.made("if"),
        cluster=cluster_id,
        state="PROVISIONING",
        name=asked.get("Name", ""),
        role=role,
        target_on_demand=targets[0],
        target_spot=targets[1],
        types=types,
        launch=launch,
        resize=resize,
        context=asked.get("Context", ""),
    )


def check_targets(role: str, on_demand: int, spot: int) -> None:
    """For a new fleet; a running task fleet may later be told to have none."""
    if role == "MASTER":
        if sorted((on_demand, spot)) != [0, 1]:
            raise validation(
                "For a master instance fleet, only one of TargetSpotCapacity and TargetOnDemandCapacity can be "
                f"specified, and its value must be 1. They are {spot} and {on_demand}."
            )
    elif on_demand + spot < 1:
        raise validation(
            "At least one of TargetSpotCapacity and TargetOnDemandCapacity should be greater than 0 "
            f"for the {role.lower()} instance fleet."
        )


def check_types(
    role: str, types: Sequence[Mapping[str, Any]], launch: Mapping[str, Any], applications: list[str]
) -> None:
    """``InstanceTypeConfigs``, together with the launch specifications they are for."""
    if not types:
        raise validation(f"The {role.lower()} instance fleet needs InstanceTypeConfigs: at least one instance type.")
    strategies = [told for told in launch.values() if told.get("AllocationStrategy")]
    most = TYPES_WITH_STRATEGY if strategies else TYPES
    if len(types) > most:
        more = "" if strategies else f"; with an allocation strategy it may have {TYPES_WITH_STRATEGY}"
        raise validation(
            f"The {role.lower()} instance fleet has {len(types)} instance types, and may have {most}{more}."
        )
    twice = [name for name, count in Counter(one["InstanceType"] for one in types).items() if count > 1]
    if twice:
        raise validation(f"The {role.lower()} instance fleet has the instance type {twice[0]} more than once.")
    for one in types:
        check_type(role, one)
        checks.check_configurations(one.get("Configurations") or [], applications)


def check_type(role: str, one: Mapping[str, Any]) -> None:
    name, units = one["InstanceType"], one.get("WeightedCapacity")
    checks.check_type(name)
    if role == "MASTER" and units not in (None, 1):
        raise validation(f"WeightedCapacity is 1 for a master instance fleet, not {units} ({name}).")
    if units is not None and units < 1:
        raise validation(f"WeightedCapacity must be 1 or greater for core and task instance fleets ({name}).")
    if one.get("BidPrice") and one.get("BidPriceAsPercentageOfOnDemandPrice") is not None:
        raise validation(
            "Specify at most one of bidPrice or bidPriceAsPercentageOfOnDemandPrice value for the Spot Instance "
            "fleet : request."
        )
    if one.get("BidPrice"):
        check_bid(one["BidPrice"])


def check_bid(price: str) -> None:
    """A ``BidPrice``: USD per hour, as text."""
    if not checks.is_price(price):
        raise validation(f"BidPrice '{price}' is not valid: it is an amount in USD, for example 0.05.")


def check_launch(launch: Mapping[str, Any]) -> None:
    """``LaunchSpecifications``."""
    spot = launch.get("SpotSpecification") or {}
    if spot:
        check_minutes("SpotSpecification", spot, LAUNCH_MINUTES)
    if spot.get("BlockDurationMinutes"):
        raise validation(
            "BlockDurationMinutes is not valid: Spot Instances with a defined duration are no longer available."
        )


def check_resize(resize: Mapping[str, Any]) -> None:
    """``ResizeSpecifications``."""
    for name, told in resize.items():
        if told.get("TimeoutDurationMinutes") is not None:
            check_minutes(name, told, RESIZE_MINUTES)


def check_minutes(name: str, told: Mapping[str, Any], limits: tuple[int, int]) -> None:
    least, most = limits
    if not least <= told["TimeoutDurationMinutes"] <= most:
        raise validation(
            f"TimeoutDurationMinutes of {name} must be from {least} to {most}, not {told['TimeoutDurationMinutes']}."
        )
