"""What EMR remembers of clusters, instance groups, instances and steps. Times are seconds since 1970."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from . import states


@dataclass
class Record:
    """Something with an id, the cluster it belongs to, and a life. ``reason``: why it is in its state."""

    LIFE: ClassVar[Mapping[str, tuple[str, ...]]]
    READY: ClassVar[tuple[str, ...]] = ("RUNNING",)  # when it first came into one of these, it became ready

    id: str
    cluster: str
    state: str
    reason_code: str = field(default="", kw_only=True)
    reason: str = field(default="", kw_only=True)
    created: float = field(default_factory=time.time, kw_only=True)
    ready: float | None = field(default=None, kw_only=True)
    ended: float | None = field(default=None, kw_only=True)

    def move(self, state: str, reason: str = "", code: str = "") -> None:
        """Go on to ``state``. Raises ``WrongTransition`` when it cannot follow the one it is in."""
        self.state = states.follow(self.LIFE, self.state, state)
        self.reason, self.reason_code = reason, code
        if state in self.READY:
            self.ready = self.ready or time.time()
        if not self.LIFE[state]:
            self.ended = self.ended or time.time()

    @property
    def over(self) -> bool:
        return not self.LIFE[self.state]


@dataclass
class Cluster(Record):
    """``settings``: parameters of RunJobFlow that are only told again. ``keep_alive``: lives on without steps."""

    LIFE = states.CLUSTER
    READY = ("RUNNING", "WAITING")

    account: str
    region: str
    name: str
    release: str
    applications: list[str]
    keep_alive: bool
    protected: bool
    log_uri: str = ""
    configurations: list[dict[str, Any]] = field(default_factory=list)
    bootstrap_actions: list[dict[str, Any]] = field(default_factory=list)
    step_concurrency: int = 1
    tags: dict[str, str] = field(default_factory=dict)
    ec2: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    master: str = ""  # where the master node answers
    error_details: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Group(Record):
    """An instance group. ``role``: MASTER, CORE or TASK."""

    LIFE = states.GROUP

    name: str
    role: str
    instance_type: str
    requested: int
    market: str = "ON_DEMAND"
    bid_price: str = ""
    configurations: list[dict[str, Any]] = field(default_factory=list)
    ebs: dict[str, Any] = field(default_factory=dict)


@dataclass
class Instance(Record):
    """A node. ``ec2``: its EC2 instance id, and the name of its folder."""

    LIFE = states.INSTANCE

    group: str
    ec2: str
    instance_type: str
    market: str = "ON_DEMAND"
    address: str = ""
    name: str = ""  # private DNS name


@dataclass
class Step(Record):
    """Work handed to a cluster. ``ready``: when it began to run. ``failure``: EMR's ``FailureDetails``."""

    LIFE = states.STEP

    name: str
    jar: str
    arguments: list[str] = field(default_factory=list)
    main_class: str = ""
    properties: dict[str, str] = field(default_factory=dict)
    action_on_failure: str = "TERMINATE_CLUSTER"
    failure: dict[str, str] = field(default_factory=dict)
