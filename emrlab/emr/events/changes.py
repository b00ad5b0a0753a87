"""Changes of state as events: which of them EMR tells, and in which words.

A cluster's BOOTSTRAPPING and TERMINATING and a step's INTERRUPTED have no event: AWS's tables have none for them. An
instance's changes are EC2's events, as an instance of EMR is one of EC2.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence

from ..history import History
from ..records import Cluster, Fleet, Group, Instance, Record, Step
from . import ec2, reconfiguration
from .event import Capacity, Detail, Event, Kind, event, fleet_fields, group_fields, minutes, moment, named

# A cluster that ended for these reasons ended well.
WELL = ("USER_REQUEST", "ALL_STEPS_COMPLETED")
Written = Sequence[tuple[Record, str | None]]


class Changes:
    """Called with what a transaction has written, inside it; gives the events of it.

    ``failed`` and ``timed_out``: groups and fleets of which it was said since they came into their state; ``short``: of
    which it was said, and when, that EC2 has not what they need.
    """

    def __init__(self, history: History) -> None:
        self.history = history
        self.since: dict[str, float] = {}  # when a group or fleet came into its state
        self.failed: set[str] = set()
        self.timed_out: set[str] = set()
        self.short: dict[str, float] = {}

    def __call__(self, written: Written) -> list[Event]:
        clusters: dict[str, Cluster] = {}
        found: list[Event] = []
        for record, before in written:
            if record.state == before:
                continue
            if not (tell := self.teller(record)):
                continue
            if record.cluster not in clusters:
                cluster = self.history.get(Cluster, record.cluster)
                if cluster is None:
                    continue
                clusters[record.cluster] = cluster
            found += tell(clusters[record.cluster], record, before)
        return found

    def heard(self, said: Event) -> None:
        """What was said elsewhere may decide how a later change of state is told."""
        detail = said.detail
        if said.kind == Kind.FLEET_RESIZE and str(detail.get("eventCode", "")).endswith("Provisioning timeout"):
            self.timed_out.add(detail["instanceFleetId"])
        elif said.kind == Kind.GROUP_NOTE and "Failed configuration version" in detail["message"]:
            self.failed.add(detail["instanceGroupId"])

    def teller(self, record: Record) -> Callable[[Cluster, Record, str | None], list[Event]] | None:
        return {
            Cluster: self.cluster,
            Step: self.step,
            Group: self.group,
            Fleet: self.fleet,
            Instance: self.instance,
        }.get(type(record))

    def cluster(self, _: Cluster, record: Record, before: str | None) -> list[Event]:
        assert isinstance(record, Cluster)
        who, now, severity = named(record), moment(), "INFO"
        reason = {"code": record.reason_code, "message": record.reason}
        if record.state == "STARTING":
            message, reason = f"Amazon EMR cluster {who} was requested at {now} and is being created.", {"code": ""}
        elif record.state == "RUNNING":
            message = f"Amazon EMR cluster {who} began running steps at {now}."
        elif record.state == "WAITING" and before != "RUNNING":
            message = f"Amazon EMR cluster {who} was created at {now} and is ready for use."
        elif record.state == "WAITING":
            message = (
                f"Amazon EMR cluster {who} finished running all pending steps at {now}. "
                "A cluster in the WAITING state may still be processing jobs."
            )
        elif record.state == "TERMINATED":
            severity = "INFO" if record.reason_code in WELL else "CRITICAL"
            message = f"Amazon EMR Cluster {who} has terminated at {now} with a reason of {record.reason_code}."
        elif record.state == "TERMINATED_WITH_ERRORS":
            severity = "CRITICAL"
            message = (
                f"Amazon EMR Cluster {who} has terminated with errors at {now} with a reason of {record.reason_code}."
            )
        else:
            return []
        reason = {name: text for name, text in reason.items() if text or name == "code"}
        return [
            event(
                Kind.CLUSTER,
                record,
                severity,
                message,
                stateChangeReason=json.dumps(reason, separators=(",", ":"), ensure_ascii=False),
                name=record.name,
                state=record.state,
            )
        ]

    def step(self, cluster: Cluster, record: Record, before: str | None) -> list[Event]:
        assert isinstance(record, Step)
        now, which = moment(), f"Step {record.id} ({record.name})"
        where = f"{which} in Amazon EMR cluster {named(cluster)}"
        severity, message = {
            "PENDING": (
                "INFO",
                f"{which} was added to Amazon EMR cluster {named(cluster)} at {now} and is pending execution.",
            ),
            "CANCEL_PENDING": ("WARN", f"{where} was cancelled at {now} and is pending cancellation."),
            "RUNNING": ("INFO", f"{where} started running at {now}."),
            "COMPLETED": (
                "INFO",
                f"{where} completed execution at {now}. The step started running at {moment(record.ready)} "
                f"and took {minutes(record.ready or record.created)} minutes to complete.",
            ),
            "CANCELLED": (
                "WARN",
                f"Cancellation request has succeeded for cluster step {record.id} ({record.name}) in Amazon EMR "
                f"cluster {named(cluster)} at {now}, and the step is now cancelled.",
            ),
            "FAILED": ("ERROR", f"{where} failed at {now}."),
        }.get(record.state, ("", ""))
        if not message:
            return []
        return [
            event(
                Kind.STEP,
                cluster,
                severity,
                message,
                actionOnFailure=record.action_on_failure,
                stepId=record.id,
                name=record.name,
                state=record.state,
            )
        ]

    def instance(self, cluster: Cluster, record: Record, before: str | None) -> list[Event]:
        assert isinstance(record, Instance)
        return ec2.state_changes(cluster, record)

    def group(self, cluster: Cluster, record: Record, before: str | None) -> list[Event]:
        assert isinstance(record, Group)
        began = self.began(record)
        running = sum(one.group == record.id for one in self.history.of(Instance, cluster.id, ["RUNNING"]))
        fields = group_fields(record, running)
        which, now = f"instance group {record.id} in Amazon EMR cluster {named(cluster)}", moment()
        reconfigured = reconfiguration.where(cluster, record)
        severity, message = "INFO", ""
        if record.state == "RESIZING":
            message = (
                f"A resize for {which} started at {now}. "
                f"It is resizing from an instance count of {running} to {record.requested}."
            )
        elif record.state == "RUNNING" and before == "RESIZING":
            message = (
                f"The resizing operation for {which} is complete. It now has an instance count of {running}. "
                f"The resize started at {moment(began)} and took {minutes(began)} minutes to complete."
            )
        elif record.state == "RECONFIGURING":
            message = (
                f"A reconfiguration for {reconfigured} started at {now}. "
                f"It is configuring from version number {record.last_good_version} to version number {record.version}."
            )
        elif record.state == "RUNNING" and before == "RECONFIGURING" and self.reverted(record):
            message = (
                f"Configurations were successfully reverted to the previous successful version "
                f"{record.last_good_version} for {reconfigured} at {now}. "
                f"New configuration version is {record.version}."
            )
        elif record.state == "RUNNING" and before == "RECONFIGURING":
            message = (
                f"The reconfiguration operation for {reconfigured} is complete. The reconfiguration started at "
                f"{moment(began)} and took {minutes(began)} minutes to complete. "
                f"Current configuration version is {record.version}."
            )
        elif record.state in ("ARRESTED", "SUSPENDED") and before == "RECONFIGURING":
            severity = "CRITICAL"
            message = (
                f"Failed to revert to the previous successful version {record.last_good_version} for "
                f"Instance group {record.id} in the Amazon EMR cluster {named(cluster)} at {now}."
            )
        elif record.state in ("ARRESTED", "SUSPENDED"):
            severity = "ERROR"
            message = f"Instance group {record.id} in Amazon EMR cluster {named(cluster)} was arrested at {now} for "
            message += f"the following reason: {record.reason}."
        if message:
            return [event(Kind.GROUP, cluster, severity, message, **fields)]
        return self.whole_life(cluster, record, before, "instance group", fields)

    def reverted(self, group: Group) -> bool:
        return group.id in self.failed or group.version != group.last_good_version

    def fleet(self, cluster: Cluster, record: Record, before: str | None) -> list[Event]:
        assert isinstance(record, Fleet)
        began = self.began(record)
        capacity = Capacity.of(record, self.history.of(Instance, cluster.id, ["RUNNING"]))
        fields = fleet_fields(record, capacity)
        which, now = f"instance fleet {record.id} in Amazon EMR cluster {named(cluster)}", moment()
        have = (
            f"The instance fleet now has On-Demand capacity of {capacity.on_demand} "
            f"and Spot capacity of {capacity.spot}. Target On-Demand capacity was {record.target_on_demand}"
        )
        severity, message = "INFO", ""
        if record.state == "RUNNING" and before in ("PROVISIONING", "BOOTSTRAPPING"):
            message = (
                f"Provisioning for {which} is complete. Provisioning started at {moment(record.created)} and took "
                f"{minutes(record.created)} minutes. {have}, and target Spot capacity was {record.target_spot}."
            )
        elif record.state == "RESIZING":
            message = (
                f"A resize for {which} started at {now}. The instance fleet is resizing from an On-Demand capacity of "
                f"{capacity.on_demand} to a target of {record.target_on_demand}, and from a Spot capacity of "
                f"{capacity.spot} to a target of {record.target_spot}."
            )
        elif record.state == "RUNNING" and before == "RESIZING":
            how, took = "is complete", "took"
            if record.id in self.timed_out:
                how, took = "has reached the timeout and stopped", "stopped after"
            message = (
                f"The resizing operation for {which} {how}. The resize started at {moment(began)} and {took} "
                f"{minutes(began)} minutes. {have} and target Spot capacity was {record.target_spot}."
            )
        elif record.state == "SUSPENDED":
            severity = "ERROR"
            message = f"Instance fleet {record.id} in Amazon EMR cluster {named(cluster)} was arrested at {now} for "
            message += f"the following reason: {record.reason}."
        if message:
            return [event(Kind.FLEET, cluster, severity, message, **fields)]
        return self.whole_life(cluster, record, before, "instance fleet", fields)

    def whole_life(
        self, cluster: Cluster, record: Group | Fleet, before: str | None, what: str, fields: Detail
    ) -> list[Event]:
        """A group's or fleet's begin with its cluster and its end. AWS publishes the names of these events alone."""
        group = isinstance(record, Group)
        which = f"{what} {record.id} in Amazon EMR cluster {named(cluster)}"
        if record.state == "BOOTSTRAPPING" and cluster.state == "BOOTSTRAPPING":
            kind = Kind.GROUP_START if group else Kind.FLEET_START
            return [event(kind, cluster, "INFO", f"Amazon EC2 capacity for {which} was provisioned.", **fields)]
        if record.over:
            kind = Kind.GROUP_TERMINATION if group else Kind.FLEET_TERMINATION
            return [event(kind, cluster, "INFO", f"All instances of {which} were terminated.", **fields)]
        return []

    def began(self, record: Group | Fleet) -> float:
        """When it came into the state that it just left."""
        began = self.since.pop(record.id, record.created)
        if not record.over:
            self.since[record.id] = time.time()
        if record.state in ("RECONFIGURING", "RESIZING") or record.over:
            self.failed.discard(record.id)
            self.timed_out.discard(record.id)
            self.short.pop(record.id, None)
        return began
