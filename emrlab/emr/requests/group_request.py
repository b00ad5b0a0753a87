"""The parameters of instance groups: what EMR does not take is refused here, the rest becomes records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import ids
from ..errors import not_built, validation
from ..market import prices
from ..records import Group
from ..scaling import auto_scaling
from . import checks

NAMES = {"MASTER": "Master Instance Group", "CORE": "Core Instance Group", "TASK": "Task Instance Group"}


def groups(cluster_id: str, instances: Mapping[str, Any], applications: list[str]) -> list[Group]:
    """The instance groups that ``Instances`` asks for, in either of its two ways."""
    asked = instances.get("InstanceGroups") or []
    short = [name for name in ("MasterInstanceType", "SlaveInstanceType", "InstanceCount") if instances.get(name)]
    if asked and short:
        raise validation(f"InstanceGroups and {short[0]} exclude each other. Give one of them.")
    if not asked:
        asked = uniform(instances)
    made = [group(cluster_id, one, applications) for one in asked]
    roles = [one.role for one in made]
    if roles.count("MASTER") != 1:
        raise validation(
            f"A cluster has exactly one master instance group. InstanceGroups has {roles.count('MASTER')}."
        )
    if roles.count("CORE") > 1:
        raise validation("A cluster has at most one core instance group.")
    if "TASK" in roles and "CORE" not in roles:
        raise validation("A task instance group needs a core instance group beside it.")
    checks.check_instances(sum(one.requested for one in made))
    return made


def uniform(instances: Mapping[str, Any]) -> list[dict[str, Any]]:
    """``MasterInstanceType``, ``SlaveInstanceType`` and ``InstanceCount`` as instance groups."""
    count, master = instances.get("InstanceCount", 0), instances.get("MasterInstanceType")
    if not count or not master:
        raise validation("Instances needs InstanceGroups, or InstanceCount and MasterInstanceType.")
    if count < 1:
        raise validation("InstanceCount must be at least 1.")
    found = [{"InstanceRole": "MASTER", "InstanceType": master, "InstanceCount": 1}]
    if count > 1:
        worker = instances.get("SlaveInstanceType") or master
        found.append({"InstanceRole": "CORE", "InstanceType": worker, "InstanceCount": count - 1})
    return found


def group(cluster_id: str, asked: Mapping[str, Any], applications: list[str]) -> Group:
    role, count, name = asked["InstanceRole"], asked["InstanceCount"], asked["InstanceType"]
    checks.check_type(name)
    if role == "MASTER" and count != 1:
        if count == 3:
            raise not_built("A cluster with three master nodes, which EMR has,")
        raise validation(f"The master instance group has 1 instance (or 3), not {count}.")
    if count < 0 or (role == "CORE" and count < 1):
        raise validation(
            f"The {role.lower()} instance group needs at least 1 instance, not {count}. Leave it out for none."
        )
    checks.check_configurations(asked.get("Configurations") or [], applications)
    check_market(asked)
    scaling = asked.get("AutoScalingPolicy")
    return Group(
        id=ids.made("ig"),
        cluster=cluster_id,
        state="PROVISIONING",
        name=asked.get("Name") or NAMES[role],
        role=role,
        instance_type=name,
        requested=count,
        scaling=auto_scaling.policy(role, scaling, cluster_id) if scaling else {},
        market=asked.get("Market") or "ON_DEMAND",
        bid_price=asked.get("BidPrice", ""),
        configurations=asked.get("Configurations") or [],
        last_good=asked.get("Configurations") or [],
        custom_ami=asked.get("CustomAmiId", ""),
        ebs=asked.get("EbsConfiguration") or {},
    )


def check_market(asked: Mapping[str, Any]) -> None:
    """``BidPrice`` is for spot instances, in USD per hour; without one the most they cost is the on-demand price."""
    bid, spot = asked.get("BidPrice"), asked.get("Market") == "SPOT"
    if bid and not spot:
        raise validation("BidPrice is for instance groups whose Market is SPOT.")
    if bid and not checks.is_price(bid):
        raise validation(f"BidPrice '{bid}' is not valid: it is USD per hour, for example 0.10.")
    if spot and prices.price(asked["InstanceType"]) is None:
        raise validation(f"There are no spot instances of {asked['InstanceType']} here: its price is not known.")
