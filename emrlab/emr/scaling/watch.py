"""A living cluster watched: its figures read, pushed to CloudWatch, and kept for those who act on them.

In a thread beside the driver: an engine that does not answer, or CloudWatch, never keeps a cluster from its steps.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ...applications.hadoop_sites import RESOURCEMANAGER_WEB
from ...nodes.waiting import fetched
from .. import aws
from ..beside import Worker
from ..records import Cluster, Collection, Fleet, Group, Instance
from ..states import OPEN
from . import figures, idleness
from .figures import COUNT, NONE, Figures
from .mapreduce import BYTES, Jobs
from .scaling_alarms import ScalingAlarms

if TYPE_CHECKING:
    from ..driver import Driver
    from ..history import History
    from ..service import EmrService

log = logging.getLogger(__name__)
NAMESPACE = "AWS/ElasticMapReduce"
# Lab seconds. "All Amazon EMR clusters automatically send metrics in five-minute intervals"; with managed scaling or
# auto-termination "at a one-minute granularity", and managed scaling looks "every 5 to 10 seconds".
PUSH, PUSH_OFTEN, READ = 300.0, 60.0, 5.0
SHORTEST, LONGEST = 0.5, 1.0  # true seconds between two looks
# Metric of managed scaling → what YARN tells of it, how many of that are one, the release that has it.
SECONDS = {
    "YarnContainersTotalMemoryGBSeconds": ("allocatedMB", 1024, (7, 3)),
    "YarnContainersTotalVCPUSeconds": ("allocatedVirtualCores", 1, (7, 5)),
    "YarnNodesTotalMemoryGBSeconds": ("totalMB", 1024, (7, 5)),
    "YarnNodesTotalVCPUSeconds": ("totalVirtualCores", 1, (7, 3)),
}


@dataclass(frozen=True)
class Reading:
    """What was read at ``moment`` (``time.monotonic``), ``passed`` lab seconds after the reading before.

    ``yarn``: clusterMetrics; ``nodes``: YARN's nodes by private DNS name; ``since``: when the oldest application that
    runs began (seconds since 1970), None without one. The last two only for managed scaling.
    """

    moment: float
    passed: float
    figures: Figures
    yarn: Mapping[str, Any] = field(default_factory=dict)
    nodes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    since: float | None = None

    def value(self, name: str) -> float:
        return self.figures[name][0]


class Watch(Worker):
    """Of one cluster, until its driver ends it or the region does."""

    def __init__(self, driver: Driver) -> None:
        super().__init__(f"watch {driver.cluster_id}")
        self.driver = driver
        self.history: History = driver.history
        self.service: EmrService = driver.service
        self.halted = threading.Event()
        self.jobs = Jobs()
        self.reading: Reading | None = None
        self.looked = time.time()  # when the last reading was begun
        self.pushed: float | None = None
        self.sent: dict[str, dict[str, float]] = {}  # job → metric → bytes that were pushed
        self.seconds: dict[str, float] = dict.fromkeys(SECONDS, 0.0)
        self.alarms = ScalingAlarms(self)

    def halt(self) -> None:
        self.halted.set()

    def run(self) -> None:
        clock = self.service.clock
        while not self.halted.wait(min(LONGEST, max(SHORTEST, clock.true(READ)))) and not self.over():
            try:
                self.look()
            except Exception:
                if not self.over():
                    log.exception("the figures of %s could not be read", self.driver.cluster_id)
        self.alarms.end()

    def over(self) -> bool:
        return self.halted.is_set() or self.driver.cluster.state not in OPEN

    @property
    def client(self) -> Any:
        cluster = self.driver.cluster
        return aws.client("cloudwatch", self.service.endpoint, cluster.account, cluster.region)

    def look(self) -> None:
        cluster, clock, now = self.driver.cluster, self.service.clock, time.monotonic()
        policy = bool(cluster.managed_scaling or cluster.auto_termination)
        every = clock.true(PUSH_OFTEN if policy else PUSH)
        due = self.pushed is None or now - self.pushed >= every
        if due or (policy and (self.reading is None or now - self.reading.moment >= clock.true(READ))):
            self.reading = self.read(cluster)
        self.alarms.look()
        if due and self.reading and self.reading.figures:
            self.pushed = now
            self.push(cluster, self.reading)
            self.alarms.evaluate(time.time())

    def collections(self) -> list[Collection]:
        return [*self.history.of(Group, self.driver.cluster_id), *self.history.of(Fleet, self.driver.cluster_id)]

    def read(self, cluster: Cluster) -> Reading:
        began, looked, moment = time.time(), self.looked, time.monotonic()
        true = 0.0 if self.reading is None else moment - self.reading.moment
        told = figures.cluster_metrics(cluster.master)
        found = figures.read(cluster, self.collections(), self.history.of(Instance, cluster.id), self.jobs, told)
        if found and cluster.auto_termination:
            idle = idleness.idle(self.driver, found, looked)
            found["AutoTerminationIsClusterIdle"] = (int(idle), NONE)
        for name, (member, many, _) in SECONDS.items():
            self.seconds[name] += true * told.get(member, 0) / many
        self.looked = began
        passed = true * self.service.clock.factor
        if not cluster.managed_scaling:
            return Reading(moment, passed, found, told)
        return Reading(moment, passed, found, told, yarn_nodes(cluster.master), oldest_start(cluster.master))

    # CloudWatch

    def push(self, cluster: Cluster, reading: Reading) -> None:
        data = list(self.data(cluster, reading))
        try:
            aws.ask(self.client.put_metric_data, Namespace=NAMESPACE, MetricData=data)
        except aws.Unanswered as error:
            log.warning("CloudWatch did not take the metrics of %s: %s", cluster.id, error)
            return
        self.sent = {job: dict(told) for job, told in self.jobs.bytes.items()}
        self.seconds = dict.fromkeys(SECONDS, 0.0)

    def data(self, cluster: Cluster, reading: Reading) -> Iterator[dict[str, Any]]:
        """Data points of now. Bytes are those since the last ones, of each job too; a job's dimension is JobId."""
        now = datetime.now(UTC)
        flow = {"Name": "JobFlowId", "Value": cluster.id}

        def point(name: str, value: float, unit: str, *more: dict[str, str]) -> dict[str, Any]:
            return {
                "MetricName": name,
                "Dimensions": [flow, *more],
                "Timestamp": now,
                "Value": float(value),
                "Unit": unit,
            }

        new = {
            job: {name: value - self.sent.get(job, {}).get(name, 0.0) for name, value in told.items()}
            for job, told in self.jobs.bytes.items()
        }
        for name, (value, unit) in reading.figures.items():
            yield point(name, sum(one[name] for one in new.values()) if name in BYTES else value, unit)
        for job, told in new.items():
            if any(told.values()):
                for name, value in told.items():
                    yield point(name, value, COUNT, {"Name": "JobId", "Value": job})
        if cluster.managed_scaling:
            for name, (_, _, since) in SECONDS.items():
                if version(cluster.release) >= since:
                    yield point(name, self.seconds[name], NONE)


def version(release: str) -> tuple[int, ...]:
    """``emr-7.9.0`` → (7, 9)."""
    return tuple(int(part) for part in release.removeprefix("emr-").split(".")[:2])


def yarn_nodes(address: str) -> dict[str, dict[str, Any]]:
    told = fetched(f"http://{address}:{RESOURCEMANAGER_WEB}/ws/v1/cluster/nodes")
    return {one["nodeHostName"]: one for one in (told.get("nodes") or {}).get("node") or []}


def oldest_start(address: str) -> float | None:
    told = fetched(
        f"http://{address}:{RESOURCEMANAGER_WEB}/ws/v1/cluster/apps?states=RUNNING&deSelects=resourceRequests"
    )
    starts = [one["startedTime"] / 1000 for one in (told.get("apps") or {}).get("app") or []]
    return min(starts, default=None)
