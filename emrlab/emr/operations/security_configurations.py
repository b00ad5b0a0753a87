"""Security configurations: create, describe, list, delete."""

from __future__ import annotations

from typing import Any

from .. import errors, states
from ..access import security
from ..account import SecurityConfiguration, made, mine
from ..paging import page
from ..records import Cluster
from ..registry import Call, operation
from ..shapes import moment

PAGE = 50  # ListSecurityConfigurations of the API reference


def found(call: Call, name: str) -> SecurityConfiguration:
    one = call.service.history.get(SecurityConfiguration, key(call, name))
    if one is None:
        raise errors.invalid(f"Security configuration with name '{name}' does not exist.")
    return one


def key(call: Call, name: str) -> str:
    return security.key(call.context.account, call.context.region, name)


def summary(one: SecurityConfiguration) -> dict[str, Any]:
    return {"Name": one.name, "CreationDateTime": moment(one.created)}


@operation("CreateSecurityConfiguration")
def create_security_configuration(call: Call, params: dict[str, Any]) -> dict[str, Any]:
    name, document = params["Name"], params["SecurityConfiguration"]
    if not name.strip():
        raise errors.invalid("A security configuration needs a name.")
    security.parsed(document)
    history = call.service.history
    new = made(call, SecurityConfiguration, key(call, name), name=name, document=document)
    with history.transaction():
        if history.get(SecurityConfiguration, new.id) is not None:
            raise errors.invalid(f"SecurityConfiguration with name '{name}' already exists.")
        history.add(new)
    return summary(new)


@operation("DescribeSecurityConfiguration")
def describe_security_configuration(call: Call, params: dict[str, Any]) -> dict[str, Any]:
    one = found(call, params["Name"])
    return {**summary(one), "SecurityConfiguration": one.document}


@operation("ListSecurityConfigurations")
def list_security_configurations(call: Call, params: dict[str, Any]) -> dict[str, Any]:
    items, more = page(mine(call, SecurityConfiguration), params, PAGE)
    return {"SecurityConfigurations": [summary(one) for one in items], **more}


@operation("DeleteSecurityConfiguration")
def delete_security_configuration(call: Call, params: dict[str, Any]) -> None:
    history = call.service.history
    with history.transaction():  # a cluster may be about to be launched with it
        one = found(call, params["Name"])
        users = [
            cluster
            for cluster in history.in_states(Cluster, states.ACTIVE)
            if call.owns(cluster) and cluster.security_configuration == one.name
        ]
        if users:
            raise errors.invalid(
                f"Security configuration '{one.name}' cannot be deleted because it is in use by active clusters.",
                "SECURITY_CONFIGURATION_IN_USE",
            )
        history.remove(SecurityConfiguration, one.id)
