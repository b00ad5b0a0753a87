"""What a cluster's MapReduce jobs have done: bytes and tasks, told by their application masters and by the job history.

EMR's metrics of bytes are about MapReduce jobs alone ("Monitor Amazon EMR metrics with CloudWatch").
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ...applications.hadoop_sites import HISTORY_WEB, RESOURCEMANAGER_WEB
from ...nodes.waiting import fetched

# EMR's metric → the counters of Hadoop's file systems, which are named by an address's scheme.
BYTES = {
    "S3BytesWritten": ("S3_BYTES_WRITTEN", "S3N_BYTES_WRITTEN", "S3A_BYTES_WRITTEN"),
    "S3BytesRead": ("S3_BYTES_READ", "S3N_BYTES_READ", "S3A_BYTES_READ"),
    "HDFSBytesRead": ("HDFS_BYTES_READ",),
    "HDFSBytesWritten": ("HDFS_BYTES_WRITTEN",),
}
TASKS = {
    "MapTasksRunning": "mapsRunning",
    "MapTasksRemaining": "mapsPending",
    "ReduceTasksRunning": "reducesRunning",
    "ReduceTasksRemaining": "reducesPending",
}
OVER = ("FINISHED", "FAILED", "KILLED")


@dataclass
class Jobs:
    """The jobs of one cluster. ``bytes``: job → metric → bytes until now; ``tasks``: of those that run, together."""

    bytes: dict[str, dict[str, float]] = field(default_factory=dict)
    tasks: dict[str, float] = field(default_factory=lambda: dict.fromkeys(TASKS, 0.0))
    running: int = 0
    failed: int = 0
    ended: set[str] = field(default_factory=set)  # whose counters no longer change

    def look(self, address: str) -> bool:
        """Ask those that are new or not over. Whether the ResourceManager answered."""
        yarn = f"http://{address}:{RESOURCEMANAGER_WEB}"
        told = fetched(f"{yarn}/ws/v1/cluster/apps?applicationTypes=MAPREDUCE&deSelects=resourceRequests")
        if "apps" not in told:
            return False
        apps = (told["apps"] or {}).get("app") or []
        self.tasks = dict.fromkeys(TASKS, 0.0)
        self.running = sum(one["state"] == "RUNNING" for one in apps)
        self.failed = sum(one["finalStatus"] == "FAILED" for one in apps)
        for app in apps:
            job = app["id"].replace("application", "job")
            if job in self.ended:
                continue
            if app["state"] in OVER:
                history = f"http://{address}:{HISTORY_WEB}/ws/v1/history/mapreduce/jobs/{job}/counters"
                if self.count(job, fetched(history)):
                    self.ended.add(job)
            elif app["state"] == "RUNNING":
                master = f"{yarn}/proxy/{app['id']}/ws/v1/mapreduce/jobs"
                for one in (fetched(master).get("jobs") or {}).get("job") or []:
                    for name, member in TASKS.items():
                        self.tasks[name] += one.get(member, 0)
                self.count(job, fetched(f"{master}/{job}/counters"))
        return True

    def count(self, job: str, told: dict[str, Any]) -> bool:
        """Take note of a job's counters. False when they were not told: master or history are not there yet."""
        if "jobCounters" not in told:
            return False
        counters = {
            counter["name"]: float(counter["totalCounterValue"])
            for group in told["jobCounters"].get("counterGroup") or []
            for counter in group["counter"]
        }
        self.bytes[job] = {metric: sum(counters.get(name, 0.0) for name in names) for metric, names in BYTES.items()}
        return True

    def total(self) -> dict[str, float]:
        return {metric: sum(one[metric] for one in self.bytes.values()) for metric in BYTES}
