"""A living cluster's figures under the names of EMR's metrics ("Monitor Amazon EMR metrics with CloudWatch").

From the engines themselves: the ResourceManager's REST, the NameNode's JMX, the MapReduce jobs; instances from the
history. Left out is what has no true source here:

- ``MapSlotsOpen``, ``ReduceSlotsOpen``, ``RemainingMapTasksPerSlot``, ``LiveTaskTrackers``: Hadoop 1's, YARN has
  neither slots nor task trackers.
- ``BackupFailed``, ``MostRecentBackupDuration``, ``TimeSinceLastSuccessfulBackup``: of EMR's own HBase backups, which
  Hadoop 1 clusters had.
- ``YarnContainersUsed…`` and ``YarnNodesUsed…Seconds``: YARN measures its containers only while it may end them for
  using too much, which it may not here, and its nodes are parts of one machine.
- ``TotalNotebookKernels``: kernels run beside the cluster's nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ...applications.hadoop import bean
from ...applications.hadoop_sites import RESOURCEMANAGER_WEB
from ...nodes.waiting import fetched
from ..instance_types import all_types
from ..records import Cluster, Collection, Fleet, Group, Instance
from .mapreduce import Jobs

Figures = dict[str, tuple[float, str]]
COUNT, PERCENT, NONE = "Count", "Percent", "None"  # CloudWatch's names of units; it has none for EMR's Boolean
GB = 2**30
# EMR's metric → clusterMetrics of the ResourceManager.
YARN = {
    "ContainerAllocated": "containersAllocated",
    "ContainerReserved": "containersReserved",
    "ContainerPending": "containersPending",
    "AppsCompleted": "appsCompleted",
    "AppsFailed": "appsFailed",
    "AppsKilled": "appsKilled",
    "AppsPending": "appsPending",
    "AppsRunning": "appsRunning",
    "AppsSubmitted": "appsSubmitted",
    "MRActiveNodes": "activeNodes",
    "MRLostNodes": "lostNodes",
    "MRUnhealthyNodes": "unhealthyNodes",
    "MRDecommissionedNodes": "decommissionedNodes",
    "MRRebootedNodes": "rebootedNodes",
    "MemoryTotalMB": "totalMB",
    "MemoryReservedMB": "reservedMB",
    "MemoryAvailableMB": "availableMB",
    "MemoryAllocatedMB": "allocatedMB",
}
# Nodes that YARN still counts and that are gone ("MRTotalNodes only counts currently active nodes").
GONE = ("lostNodes", "decommissionedNodes", "rebootedNodes", "shutdownNodes")
UNITS = {"Instances": "Nodes", "VCPU": "VCPU", "InstanceFleetUnits": "Units"}


def read(
    cluster: Cluster,
    collections: Sequence[Collection],
    instances: Sequence[Instance],
    jobs: Jobs,
    told: dict[str, Any],
) -> Figures:
    """All figures of a cluster that has come up; empty when neither YARN nor HDFS answers. ``told``: by YARN."""
    found = {**yarn(told), **hdfs(cluster.master)}
    if not found:
        return {}
    if jobs.look(cluster.master):
        found |= {name: (value, COUNT) for name, value in jobs.total().items()}
        found |= {name: (value, COUNT) for name, value in jobs.tasks.items()}
        found |= {"JobsRunning": (jobs.running, COUNT), "JobsFailed": (jobs.failed, COUNT)}
    found |= nodes(collections, instances)
    if cluster.managed_scaling or cluster.auto_termination:
        found |= capacity(cluster, collections, instances)
    return found


def cluster_metrics(address: str) -> dict[str, Any]:
    """What the ResourceManager tells of the whole cluster; empty while it does not answer."""
    found: dict[str, Any] = fetched(f"http://{address}:{RESOURCEMANAGER_WEB}/ws/v1/cluster/metrics").get(
        "clusterMetrics", {}
    )
    return found


def yarn(told: dict[str, Any]) -> Figures:
    if not told:
        return {}
    found: Figures = {name: (told[member], COUNT) for name, member in YARN.items()}
    pending, allocated = told["containersPending"], told["containersAllocated"]
    working = allocated or told["appsRunning"] or told["appsPending"]
    found |= {
        "IsIdle": (0 if working else 1, NONE),
        "ContainerPendingRatio": (pending / allocated if allocated else pending, COUNT),
        "MRTotalNodes": (told["totalNodes"] - sum(told[name] for name in GONE), COUNT),
    }
    if told["totalMB"]:
        found["YARNMemoryAvailablePercentage"] = (100 * told["availableMB"] / told["totalMB"], PERCENT)
    return found


def hdfs(address: str) -> Figures:
    state, info = bean(address, "FSNamesystemState"), bean(address, "NameNodeInfo")
    if not state or not info:
        return {}
    names = bean(address, "FSNamesystem")  # Hadoop refreshes this one every ten seconds
    live, dead = state["NumLiveDataNodes"], state["NumDeadDataNodes"]
    found: Figures = {
        "HDFSUtilization": (info["PercentUsed"], PERCENT),
        "MissingBlocks": (info["NumberOfMissingBlocks"], COUNT),
        "CorruptBlocks": (names.get("CorruptBlocks", 0), COUNT),
        "TotalLoad": (state["TotalLoad"], COUNT),
        "PendingDeletionBlocks": (state["PendingDeletionBlocks"], COUNT),
        "UnderReplicatedBlocks": (state["UnderReplicatedBlocks"], COUNT),
        "DfsPendingReplicationBlocks": (state["PendingReplicationBlocks"], COUNT),
        "CapacityRemainingGB": (state["CapacityRemaining"] / GB, COUNT),
    }
    if live + dead:
        found["LiveDataNodes"] = (100 * live / (live + dead), PERCENT)
    return found


def nodes(collections: Sequence[Collection], instances: Sequence[Instance]) -> Figures:
    """Core and task nodes only where there is such a group."""
    found: Figures = {}
    for role, name in (("CORE", "CoreNodes"), ("TASK", "TaskNodes")):
        if some := living(collections, role):
            running = of(some, instances, "RUNNING")
            coming = of(some, instances, "AWAITING_FULFILLMENT", "PROVISIONING", "BOOTSTRAPPING")
            missing = sum(one.requested for one in some if isinstance(one, Group)) - len(running)
            found[f"{name}Running"] = (len(running), COUNT)
            found[f"{name}Pending"] = (max(missing, len(coming), 0), COUNT)
    masters = living(collections, "MASTER")
    running = of(masters, instances, "RUNNING")
    wanted = sum(requested(one, "Instances") for one in masters)
    found["MultiMasterInstanceGroupNodesRunning"] = (len(running), COUNT)
    found["MultiMasterInstanceGroupNodesRequested"] = (wanted, COUNT)
    if wanted:
        found["MultiMasterInstanceGroupNodesRunningPercentage"] = (100 * len(running) / wanted, PERCENT)
    return found


def capacity(cluster: Cluster, collections: Sequence[Collection], instances: Sequence[Instance]) -> Figures:
    """In the unit of the managed scaling policy ("Understanding managed scaling metrics in Amazon EMR")."""
    limits = cluster.managed_scaling.get("ComputeLimits") or {}
    unit = limits.get("UnitType") or ("Instances" if cluster.collection == "INSTANCE_GROUP" else "InstanceFleetUnits")
    found: Figures = {}
    for name, roles in (("Total", ("CORE", "TASK")), ("Core", ("CORE",)), ("Task", ("TASK",))):
        some = [one for role in roles for one in living(collections, role)]
        told = {
            "Requested": sum(requested(one, unit) for one in some),
            "Running": sum(size(one, unit) for one in of(some, instances, "RUNNING")),
        }
        found |= {f"{name}{UNITS[unit]}{what}": (value, COUNT) for what, value in told.items()}
    return found


def living(collections: Iterable[Collection], role: str) -> list[Collection]:
    return [one for one in collections if one.role == role and not one.over]


def of(collections: Iterable[Collection], instances: Iterable[Instance], *states: str) -> list[Instance]:
    wanted = {one.id for one in collections}
    return [one for one in instances if one.group in wanted and one.state in states]


def requested(collection: Collection, unit: str) -> int:
    """What a group or fleet is to have, in units of a managed scaling policy."""
    if isinstance(collection, Fleet):
        return collection.target_on_demand + collection.target_spot
    return collection.requested * (vcpu(collection.instance_type) if unit == "VCPU" else 1)


def size(instance: Instance, unit: str) -> int:
    """What an instance is, in units of a managed scaling policy."""
    measures: dict[str, Callable[[], int]] = {
        "Instances": lambda: 1,
        "VCPU": lambda: vcpu(instance.instance_type),
        "InstanceFleetUnits": lambda: instance.weight,
    }
    return measures[unit]()


def vcpu(instance_type: str) -> int:
    return all_types()[instance_type].capacity.vcpu
