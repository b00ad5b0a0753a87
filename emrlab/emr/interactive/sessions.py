"""Spark Connect sessions as EMR remembers and tells them ("Interactive sessions")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ..records import Record
from ..shapes import Shape, moment, tags

ENDING = ("TERMINATING", "TERMINATED", "FAILED")
# See ``GetSession`` of the API reference.
LIFE: Mapping[str, tuple[str, ...]] = {
    "SUBMITTED": ("STARTING", *ENDING),
    "STARTING": ("STARTED", *ENDING),
    "STARTED": ("IDLE", "BUSY", *ENDING),
    "IDLE": ("BUSY", *ENDING),
    "BUSY": ("IDLE", *ENDING),
    "TERMINATING": ("TERMINATED", "FAILED"),
    "TERMINATED": (),
    "FAILED": (),
}
ACTIVE = tuple(state for state, after in LIFE.items() if after)
OPEN = ("IDLE", "BUSY")
IDLE_MINUTES, MOST_IDLE_MINUTES = 60, 24 * 60


@dataclass
class Session(Record):
    """``endpoint``: where its server answers. ``ready``: when it was STARTED. ``idle``: since when it is IDLE."""

    LIFE: ClassVar[Mapping[str, tuple[str, ...]]] = LIFE
    READY: ClassVar[tuple[str, ...]] = ("STARTED",)

    account: str
    region: str
    name: str
    release: str
    configurations: list[dict[str, Any]] = field(default_factory=list)
    idle_minutes: int = IDLE_MINUTES
    token: str = ""  # ClientRequestToken
    endpoint: str = ""
    updated: float = 0.0
    idle: float | None = None
    monitoring: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        return f"arn:aws:elasticmapreduce:{self.region}:{self.account}:cluster/{self.cluster}/session/{self.id}"


def shape(record: Session) -> Shape:
    return {
        "Id": record.id,
        "ClusterId": record.cluster,
        "Name": record.name,
        "Arn": record.arn,
        "State": record.state,
        "StateChangeReason": record.reason or None,
        "ReleaseLabel": record.release,
        "AccountId": record.account,
        "CreatedAt": moment(record.created),
        "UpdatedAt": moment(record.updated or record.created),
        "StartedAt": moment(record.ready),
        "EndedAt": moment(record.ended),
        "IdleSince": moment(record.idle),
        "EngineConfigurations": record.configurations,
        "MonitoringConfiguration": record.monitoring or None,
        "SessionIdleTimeoutInMinutes": record.idle_minutes,
        "ServerUrl": record.endpoint or None,
        "Tags": tags(record.tags),
    }
