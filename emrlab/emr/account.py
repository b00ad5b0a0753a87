"""What EMR remembers of an account in a region besides its clusters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from .records import Record

if TYPE_CHECKING:
    from .registry import Call

O = TypeVar("O", bound="Owned")  # noqa: E741  # an owned record's type


@dataclass
class Owned(Record):
    """Something of an account that is there until it is deleted. Its ``cluster`` is empty."""

    LIFE = {"ACTIVE": ("DELETED",), "DELETED": ()}

    account: str
    region: str


@dataclass
class SecurityConfiguration(Owned):
    """``document``: as it was given, to the letter."""

    name: str
    document: str


@dataclass
class PublicAccess(Owned):
    """Block public access. ``ranges``: PortRanges that are permitted. ``by``: who set it, ``changed``: when."""

    blocked: bool
    ranges: list[dict[str, int]]
    by: str
    changed: float


@dataclass
class Studio(Owned):
    """``settings``: the members of CreateStudio that are only told again."""

    name: str
    auth_mode: str
    vpc: str
    subnets: list[str]
    settings: dict[str, Any]
    tags: dict[str, str] = field(default_factory=dict)


@dataclass
class SessionMapping(Owned):
    """A user or group of IAM Identity Center that may use a Studio, whose id is ``cluster``."""

    identity_type: str
    identity_id: str
    identity_name: str
    policy: str
    changed: float


def made(call: Call, kind: type[O], record_id: str, cluster: str = "", **fields: Any) -> O:
    """A new record of the caller's."""
    return kind(record_id, cluster, "ACTIVE", call.context.account, call.context.region, **fields)


def own(call: Call, *names: str) -> str:
    """An id for what has no id in EMR's API, but a name in its account and region."""
    return ":".join((call.context.account, call.context.region, *names))


def mine(call: Call, kind: type[O]) -> list[O]:
    """All of a kind that the caller's account has in the region, in the order they were made."""
    where = "json_extract(body, '$.account') = ? and json_extract(body, '$.region') = ? order by number"
    return call.service.history.select(kind, where, [call.context.account, call.context.region])
