"""Records as EMR's API tells them."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from ..applications import catalogue
from . import ids
from .instance_types import all_types
from .records import Cluster, Fleet, Group, Instance, Record, Step

Shape = dict[str, Any]


def moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def status(record: Record) -> Shape:
    """``State``, ``StateChangeReason`` and ``Timeline``; a step calls its second moment another name."""
    reason = {"Code": record.reason_code, "Message": record.reason}
    middle = "StartDateTime" if isinstance(record, Step) else "ReadyDateTime"
    times = {"CreationDateTime": record.created, middle: record.ready, "EndDateTime": record.ended}
    return {
        "State": record.state,
        "StateChangeReason": {name: text for name, text in reason.items() if text},
        "Timeline": {name: moment(seconds) for name, seconds in times.items() if seconds is not None},
    }


def cluster_status(record: Cluster) -> Shape:
    told = status(record)
    if record.error_details:
        told["ErrorDetails"] = record.error_details
    return told


def cluster_summary(record: Cluster, instances: Iterable[Instance]) -> Shape:
    return {
        "Id": record.id,
        "Name": record.name,
        "Status": cluster_status(record),
        "NormalizedInstanceHours": hours(instances),
        "ClusterArn": ids.cluster_arn(record.region, record.account, record.id),
    }


def cluster(record: Cluster, instances: Iterable[Instance]) -> Shape:
    versions = {one.name: one.version for one in catalogue().values()}
    return {
        **cluster_summary(record, instances),
        "Ec2InstanceAttributes": record.ec2,
        "InstanceCollectionType": record.collection,
        "LogUri": record.log_uri or None,
        "ReleaseLabel": record.release,
        "AutoTerminate": not record.keep_alive,
        "TerminationProtected": record.protected,
        "UnhealthyNodeReplacement": replaces_unhealthy(record),
        "VisibleToAllUsers": record.visible,
        "SecurityConfiguration": record.security_configuration or None,
        "ExtendedSupport": record.extended_support,
        "ScaleDownBehavior": "TERMINATE_AT_TASK_COMPLETION",
        **record.settings,
        "Applications": [{"Name": name, "Version": versions.get(name, "")} for name in record.applications],
        "Tags": tags(record.tags),
        "MasterPublicDnsName": record.master or None,
        "Configurations": record.configurations,
        "KerberosAttributes": {},
        "StepConcurrencyLevel": record.step_concurrency,
        "PlacementGroups": [],
    }


def replaces_unhealthy(record: Cluster) -> bool:
    """Every cluster does unless told not to ("Replacing unhealthy nodes with Amazon EMR")."""
    return record.replaces_unhealthy is not False


def tags(given: Mapping[str, str]) -> list[Shape]:
    return [{"Key": name, "Value": value} for name, value in given.items()]


def hours(instances: Iterable[Instance]) -> int:
    """Normalized instance hours: every begun hour of an instance, weighed by its size."""
    total = 0
    for one in instances:
        seconds = (one.ended or time.time()) - one.created
        weight = all_types()[one.instance_type].normalized
        total += max(1, math.ceil(seconds / 3600)) * weight
    return total


def group(record: Group, running: int) -> Shape:
    return {
        "Id": record.id,
        "Name": record.name,
        "Market": record.market,
        "InstanceGroupType": record.role,
        "BidPrice": record.bid_price or None,
        "InstanceType": record.instance_type,
        "RequestedInstanceCount": record.requested,
        "RunningInstanceCount": running,
        "Status": status(record),
        "Configurations": record.configurations,
        "ConfigurationsVersion": record.version,
        "LastSuccessfullyAppliedConfigurations": record.last_good,
        "LastSuccessfullyAppliedConfigurationsVersion": record.last_good_version,
        "EbsBlockDevices": devices(record.ebs),
        "EbsOptimized": record.ebs.get("EbsOptimized"),
        "ShrinkPolicy": record.shrink,
        "CustomAmiId": record.custom_ami or None,
        "AutoScalingPolicy": record.scaling or None,
    }


def fleet(record: Fleet, instances: Iterable[Instance]) -> Shape:
    """``instances``: of the cluster. Only those that run are provisioned capacity."""
    units = {"ON_DEMAND": 0, "SPOT": 0}
    for one in instances:
        if one.group == record.id and one.state == "RUNNING":
            units[one.market] += one.weight
    return {
        "Id": record.id,
        "Name": record.name or None,
        "Status": status(record),
        "InstanceFleetType": record.role,
        "TargetOnDemandCapacity": record.target_on_demand,
        "TargetSpotCapacity": record.target_spot,
        "ProvisionedOnDemandCapacity": units["ON_DEMAND"],
        "ProvisionedSpotCapacity": units["SPOT"],
        "InstanceTypeSpecifications": [type_specification(one) for one in record.types],
        "LaunchSpecifications": record.launch or None,
        "ResizeSpecifications": record.resize or None,
        "Context": record.context or None,
    }


def type_specification(config: Mapping[str, Any]) -> Shape:
    ebs = config.get("EbsConfiguration") or {}
    told = {name: value for name, value in config.items() if name != "EbsConfiguration"}
    return {
        "WeightedCapacity": 1,
        **told,
        "EbsBlockDevices": devices(ebs),
        "EbsOptimized": ebs.get("EbsOptimized"),
    }


def devices(ebs: Mapping[str, Any]) -> list[Shape]:
    """``EbsBlockDevices`` of an ``EbsConfiguration``: each volume that was asked for, as EMR names its devices."""
    found: list[Shape] = []
    for one in ebs.get("EbsBlockDeviceConfigs") or []:
        for _ in range(one.get("VolumesPerInstance") or 1):
            device = f"/dev/sd{chr(ord('b') + len(found) % 25)}"
            found.append({"VolumeSpecification": one["VolumeSpecification"], "Device": device})
    return found


def instance(record: Instance) -> Shape:
    return {
        "Id": record.id,
        "Ec2InstanceId": record.ec2,
        "PublicDnsName": record.address,
        "PublicIpAddress": record.address,
        "PrivateDnsName": record.name,
        "PrivateIpAddress": record.address,
        "Status": status(record),
        "InstanceFleetId" if record.group.startswith("if-") else "InstanceGroupId": record.group,
        "Market": record.market,
        "InstanceType": record.instance_type,
        "EbsVolumes": [],
    }


def step(record: Step) -> Shape:
    """A step, and in a list of steps the same: ``Step`` and ``StepSummary`` differ in the role alone."""
    told = status(record)
    if record.failure:
        told["FailureDetails"] = record.failure
    return {
        "Id": record.id,
        "Name": record.name,
        "Config": {
            "Jar": record.jar,
            "Properties": record.properties,
            "MainClass": record.main_class or None,
            "Args": record.arguments,
        },
        "ActionOnFailure": record.action_on_failure,
        "Status": told,
    }
