"""What EMR remembers of clusters, instance groups and fleets, instances and steps. Times are seconds since 1970."""

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
    collection: str = "INSTANCE_GROUP"  # or INSTANCE_FLEET
    visible: bool = True
    security_configuration: str = ""
    managed_scaling: dict[str, Any] = field(default_factory=dict)  # a ManagedScalingPolicy
    auto_termination: dict[str, Any] = field(default_factory=dict)  # an AutoTerminationPolicy
    replaces_unhealthy: bool | None = None  # UnhealthyNodeReplacement; None: EMR's default
    extended_support: bool = False


@dataclass
class Group(Record):
    """An instance group. ``role``: MASTER, CORE or TASK. ``requested``: how many instances it is to have.

    ``version``: of its configurations, one more with each reconfiguration; ``last_good``: the last that was applied.
    ``scaling``: its AutoScalingPolicy and that one's status, as the API tells it.
    """

    LIFE = states.GROUP

    name: str
    role: str
    instance_type: str
    requested: int
    market: str = "ON_DEMAND"
    bid_price: str = ""
    configurations: list[dict[str, Any]] = field(default_factory=list)
    ebs: dict[str, Any] = field(default_factory=dict)
    version: int = 1
    last_good: list[dict[str, Any]] = field(default_factory=list)
    last_good_version: int = 1
    shrink: dict[str, Any] = field(default_factory=dict)  # a ShrinkPolicy
    at_once: list[str] = field(default_factory=list)  # EC2 ids of instances that leave without waiting
    scaling: dict[str, Any] = field(default_factory=dict)
    custom_ami: str = ""


@dataclass
class Fleet(Record):
    """An instance fleet. ``types``: its InstanceTypeConfigs; capacities are in units of their WeightedCapacity."""

    LIFE = states.FLEET

    name: str
    role: str
    target_on_demand: int = 0
    target_spot: int = 0
    types: list[dict[str, Any]] = field(default_factory=list)
    launch: dict[str, Any] = field(default_factory=dict)  # InstanceFleetProvisioningSpecifications
    resize: dict[str, Any] = field(default_factory=dict)  # InstanceFleetResizingSpecifications
    context: str = ""
    last_good: list[dict[str, Any]] = field(default_factory=list)  # types whose configurations are in force
    since: float | None = None  # when it began to look for capacity; its timeouts count from then
    switched: bool = False  # on-demand instances take the place of spot ones that did not come in time
    unmet: int = 0  # units that it does without, since they did not come in time


Collection = Group | Fleet


@dataclass
class Instance(Record):
    """A node. ``ec2``: its EC2 instance id, and the name of its folder. ``group``: its group or fleet.

    ``weight``: how many units of its fleet's capacity it is. ``bid``: the most it may cost on the spot market, USD per
    hour; None: the on-demand price. ``notice``: when a spot instance that was told so will be taken away.
    """

    LIFE = states.INSTANCE

    group: str
    ec2: str
    instance_type: str
    market: str = "ON_DEMAND"
    address: str = ""
    name: str = ""  # private DNS name
    role: str = ""
    weight: int = 1
    bid: float | None = None
    notice: float | None = None
    unhealthy: float | None = None  # since when YARN finds it so
    replace: bool = False  # it leaves as soon as another one has taken its place


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
