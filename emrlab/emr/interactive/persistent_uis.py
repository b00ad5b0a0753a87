"""Persistent application user interfaces as EMR remembers and tells them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from ..records import Record
from ..shapes import Shape, moment, tags


@dataclass
class PersistentUI(Record):
    """A cluster's, told by ``cluster``. ``author``: the account that made it."""

    LIFE: ClassVar[Mapping[str, tuple[str, ...]]] = {"ATTACHED": ()}

    account: str
    region: str
    tags: dict[str, str] = field(default_factory=dict)


def shape(record: PersistentUI) -> Shape:
    return {
        "PersistentAppUIId": record.id,
        "PersistentAppUITypeList": ["SHS"],
        "PersistentAppUIStatus": record.state,
        "AuthorId": record.account,
        "CreationTime": moment(record.created),
        "LastModifiedTime": moment(record.created),
        "LastStateChangeReason": record.reason or None,
        "Tags": tags(record.tags),
    }
