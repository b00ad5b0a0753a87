"""CloudWatch alarms of automatic scaling policies, and what they do: real alarms, told by DescribeAlarms.

Their state is worked out here, from what CloudWatch holds: CloudWatch's own clock is true time, an alarm's periods are
lab time. An alarm looks when the cluster's metrics have been pushed, as its period is that of the metrics.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from .. import aws
from ..access import roles
from ..events import capacity
from ..events import scaling as events
from ..records import Cluster, Group, Instance
from ..states import ACTIVE
from . import auto_scaling
from .managed_scaling import least

if TYPE_CHECKING:
    from .watch import Watch

log = logging.getLogger(__name__)
OPERATORS = {
    "GREATER_THAN_OR_EQUAL": ("GreaterThanOrEqualToThreshold", "greater than or equal to", lambda a, b: a >= b),
    "GREATER_THAN": ("GreaterThanThreshold", "greater than", lambda a, b: a > b),
    "LESS_THAN": ("LessThanThreshold", "less than", lambda a, b: a < b),
    "LESS_THAN_OR_EQUAL": ("LessThanOrEqualToThreshold", "less than or equal to", lambda a, b: a <= b),
}
STATISTICS = {
    "SAMPLE_COUNT": "SampleCount",
    "AVERAGE": "Average",
    "SUM": "Sum",
    "MINIMUM": "Minimum",
    "MAXIMUM": "Maximum",
}
PREFIX = "AWSEMR-"
BASIC = ["SampleCount", "Sum", "Minimum", "Maximum"]
TRUSTED = "application-autoscaling.amazonaws.com"


class ScalingAlarms:
    """Of one cluster's groups. Called in the thread that watches the cluster."""

    def __init__(self, watch: Watch) -> None:
        self.watch, self.history, self.service = watch, watch.history, watch.service
        self.made: dict[str, set[str]] = {}  # group → names of alarms
        self.states: dict[str, str] = {}  # alarm → what CloudWatch was told last
        self.active: dict[str, float] = {}  # group that a rule has resized → that rule's cooldown, lab seconds
        self.swept = False
        self.rests: dict[str, float] = {}  # group → until when its cooldown lasts (time.monotonic)

    def groups(self) -> Iterator[Group]:
        for group in self.history.of(Group, self.watch.driver.cluster_id):
            if group.scaling or group.id in self.made:
                yield group

    # A policy's life

    def look(self) -> None:
        """Attach new policies, detach those that were removed; note when a resize is over."""
        for group in self.groups():
            state = auto_scaling.state(group.scaling)
            try:
                if group.over:
                    self.unmake(group.id)
                elif state in ("PENDING", "ATTACHING"):
                    self.attach(group)
                elif state == "DETACHING":
                    self.detach(group)
            except aws.Unanswered as error:
                log.warning("the automatic scaling policy of %s: %s", group.id, error)
            self.settle(group)

    def attach(self, group: Group) -> None:
        """Raises ``Unanswered``: then it is tried again at the next look."""
        self.move(group, "ATTACHING")
        cluster = self.watch.driver.cluster
        role = cluster.settings.get("AutoScalingRole", "")
        if not trusted(self.service.endpoint, cluster.account, role):
            arn = roles.role_arn(cluster.account, role)
            said = f"Failed to provision the AutoScaling policy: Unable to assume IAM role: {arn}"
            if self.move(group, "FAILED", said, "PROVISION_FAILURE"):
                self.service.events.say(events.policy_failed(cluster, group))
            return
        self.sweep()
        wanted = {self.name(group, rule): rule for rule in group.scaling["Rules"]}
        self.unmake(group.id, keep=set(wanted))
        for name, rule in wanted.items():
            aws.ask(self.watch.client.put_metric_alarm, **self.definition(group, name, rule))
        self.made[group.id] = set(wanted)
        if self.move(group, "ATTACHED"):
            self.service.events.say(events.policy_attached(cluster, group))

    def sweep(self) -> None:
        """Delete what a region that was killed has left of clusters that are over. Raises ``Unanswered``."""
        if self.swept:
            return
        told = aws.ask(self.watch.client.describe_alarms, AlarmNamePrefix=PREFIX)["MetricAlarms"]
        names = [one["AlarmName"] for one in told]
        living = {one.id for one in self.history.in_states(Cluster, ACTIVE)}
        if gone := [one for one in names if "-".join(one.removeprefix(PREFIX).split("-")[:2]) not in living]:
            aws.ask(self.watch.client.delete_alarms, AlarmNames=gone)
        self.swept = True

    def detach(self, group: Group) -> None:
        self.unmake(group.id)
        if self.move(group, "DETACHED", code="USER_REQUEST"):
            self.service.events.say(events.policy_detached(self.watch.driver.cluster, group))

    def move(self, group: Group, state: str, message: str = "", code: str = "") -> bool:
        """Whether the policy is still the one that was looked at, and now in ``state``."""
        with self.history.changing(Group, group.id) as now:
            if now.scaling != group.scaling:
                return False
            now.scaling = {**now.scaling, **auto_scaling.status(state, message, code)}
            group.scaling = now.scaling
        return True

    def unmake(self, group_id: str, keep: Collection[str] = ()) -> None:
        """Delete alarms. Raises ``Unanswered``."""
        if gone := sorted(self.made.get(group_id, set()).difference(keep)):
            aws.ask(self.watch.client.delete_alarms, AlarmNames=gone)
        for name in gone:
            self.states.pop(name, None)
        self.made.pop(group_id, None)

    def end(self) -> None:
        """The cluster ends: its alarms go with it."""
        for group_id in list(self.made):
            try:
                self.unmake(group_id)
            except aws.Unanswered as error:
                log.warning("CloudWatch did not delete the alarms of %s: %s", group_id, error)

    # Alarms

    def name(self, group: Group, rule: Mapping[str, Any]) -> str:
        return f"{PREFIX}{group.cluster}-{group.id}-{rule['Name']}"[:255]

    def definition(self, group: Group, name: str, rule: Mapping[str, Any]) -> dict[str, Any]:
        cluster, given = self.watch.driver.cluster, rule["Trigger"]["CloudWatchAlarmDefinition"]
        key = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()
        target = f"resource/elasticmapreduce/instancegroup/{cluster.id}/{group.id}:policyName/{rule['Name']}"
        return {
            "AlarmName": name,
            "AlarmDescription": "DO NOT EDIT OR DELETE. Made by Amazon EMR for an automatic scaling policy.",
            "AlarmActions": [
                f"arn:aws:autoscaling:{cluster.region}:{cluster.account}:scalingPolicy:"
                f"{key[:8]}-{key[8:12]}-{key[12:16]}-{key[16:20]}-{key[20:]}:{target}"
            ],
            "Namespace": given["Namespace"],
            "MetricName": given["MetricName"],
            "Dimensions": dimensions(given),
            "Statistic": STATISTICS[given["Statistic"]],
            "Period": given["Period"],
            "EvaluationPeriods": given["EvaluationPeriods"],
            "Threshold": given["Threshold"],
            "ComparisonOperator": OPERATORS[given["ComparisonOperator"]][0],
            **({"Unit": unit(given["Unit"])} if "Unit" in given else {}),
        }

    def evaluate(self, now: float) -> None:
        """All alarms, with what CloudWatch has until ``now`` (seconds since 1970); then what they ask for."""
        for group in self.groups():
            if auto_scaling.state(group.scaling) != "ATTACHED" or group.id not in self.made:
                continue
            alarmed = []
            for rule in group.scaling["Rules"]:
                try:
                    if self.alarm(self.name(group, rule), rule["Trigger"]["CloudWatchAlarmDefinition"], now):
                        alarmed.append(rule)
                except aws.Unanswered as error:
                    log.warning("the alarm of %s's rule %s was not evaluated: %s", group.id, rule["Name"], error)
            if alarmed:
                self.act(group, alarmed)

    def alarm(self, name: str, given: Mapping[str, Any], now: float) -> bool:
        """Whether the alarm is in ALARM; CloudWatch is told when that has changed."""
        values = self.values(given, now)
        word, breaches = OPERATORS[given["ComparisonOperator"]][1:]
        known = [value for value in values if value is not None]
        if not known:
            state, reason = "INSUFFICIENT_DATA", f"Insufficient Data: {len(values)} datapoints were unknown."
        else:
            what = f"{len(known)} datapoint{'s' if len(known) > 1 else ''} {known}"
            if not all(breaches(value, given["Threshold"]) for value in known):
                state, told = "OK", "not "
            elif len(known) == len(values):
                state, told = "ALARM", ""
            else:
                return self.states.get(name) == "ALARM"
            verb = "were" if len(known) > 1 else "was"
            reason = f"Threshold Crossed: {what} {verb} {told}{word} the threshold ({given['Threshold']})."
        if self.states.get(name) != state:
            aws.ask(self.watch.client.set_alarm_state, AlarmName=name, StateValue=state, StateReason=reason)
            self.states[name] = state
        return state == "ALARM"

    def values(self, given: Mapping[str, Any], now: float) -> list[float | None]:
        """The statistic in each period, the newest first. Raises ``Unanswered``.

        Data points lie in the middle of their periods: pushes are a period apart, sometimes a little less or more.
        """
        length = max(1.0, self.service.clock.true(given["Period"]))
        count = given["EvaluationPeriods"]
        told = aws.ask(
            self.watch.client.get_metric_statistics,
            Namespace=given["Namespace"],
            MetricName=given["MetricName"],
            Dimensions=dimensions(given),
            StartTime=datetime.fromtimestamp(now - (count - 0.5) * length, UTC),
            EndTime=datetime.fromtimestamp(now + 1, UTC),
            Period=1,
            Statistics=BASIC,
        )["Datapoints"]
        periods: list[list[Mapping[str, Any]]] = [[] for _ in range(count)]
        for one in told:
            age = max(0.0, now - one["Timestamp"].timestamp())
            if (place := round(age / length)) < count and fits(given, one):
                periods[place].append(one)
        return [statistic(given["Statistic"], some) for some in periods]

    # What they do

    def act(self, group: Group, rules: list[dict[str, Any]]) -> None:
        """Resize the group as its alarmed rules say: of several, as the one that leaves it largest."""
        if group.state != "RUNNING" or group.id in self.active or time.monotonic() < self.rests.get(group.id, 0.0):
            return
        limits = group.scaling["Constraints"]
        limits = {**limits, "MinCapacity": max(limits["MinCapacity"], least(self.watch.driver, group))}
        actions = [rule["Action"]["SimpleScalingPolicyConfiguration"] for rule in rules]
        wanted, action = max(
            ((auto_scaling.adjusted(group.requested, one, limits), one) for one in actions), key=lambda pair: pair[0]
        )
        if wanted == group.requested:
            return
        with self.history.changing(Group, group.id) as now:
            if now.state != "RUNNING" or now.requested != group.requested:
                return
            now.requested = wanted
            running = [one for one in self.history.of(Instance, group.cluster, ["RUNNING"]) if one.group == group.id]
            cluster = self.watch.driver.cluster
            self.service.events.say(capacity.resize_initiated(cluster, now, len(running), "an Auto Scaling policy"))
        self.active[group.id] = action["CoolDown"]
        log.info("automatic scaling: %s from %d to %d instances", group.id, group.requested, wanted)
        self.watch.driver.wake()

    def settle(self, group: Group) -> None:
        """A resize that is over: its rule's cooldown begins."""
        if group.id not in self.active or group.state not in ("RUNNING", "SUSPENDED"):
            return
        own = [one for one in self.history.of(Instance, group.cluster, ["RUNNING"]) if one.group == group.id]
        if len(own) == group.requested or group.state == "SUSPENDED":
            self.rests[group.id] = time.monotonic() + self.service.clock.true(self.active.pop(group.id))


def trusted(endpoint: str, account: str, role: str) -> bool:
    """Whether there is such a role and automatic scaling may assume it. Raises ``Unanswered``."""
    iam = aws.client("iam", endpoint, account, roles.REGION)
    try:
        told = aws.ask(iam.get_role, RoleName=role.rpartition("/")[2])["Role"]
    except aws.Unanswered as error:
        if error.code == "NoSuchEntity":
            return False
        raise
    for statement in told["AssumeRolePolicyDocument"].get("Statement") or []:
        services = (statement.get("Principal") or {}).get("Service") or []
        if statement.get("Effect") == "Allow" and TRUSTED in ([services] if isinstance(services, str) else services):
            return True
    return False


def dimensions(given: Mapping[str, Any]) -> list[dict[str, str]]:
    return [{"Name": one["Key"], "Value": one["Value"]} for one in given["Dimensions"]]


def unit(name: str) -> str:
    """CloudWatch's name of a unit: ``KILO_BYTES_PER_SECOND`` is ``Kilobytes/Second``."""
    measure, _, per = name.partition("_PER_")
    return measure.replace("_", "").capitalize() + (f"/{per.capitalize()}" if per else "")


def fits(given: Mapping[str, Any], point: Mapping[str, Any]) -> bool:
    return "Unit" not in given or point.get("Unit") == unit(given["Unit"])


def statistic(name: str, points: list[Mapping[str, Any]]) -> float | None:
    """Of data points that are statistics themselves; None without any."""
    if not points:
        return None
    count, total = sum(one["SampleCount"] for one in points), sum(one["Sum"] for one in points)
    found = {
        "SAMPLE_COUNT": count,
        "SUM": total,
        "AVERAGE": total / count,
        "MINIMUM": min(one["Minimum"] for one in points),
        "MAXIMUM": max(one["Maximum"] for one in points),
    }
    return float(found[name])
