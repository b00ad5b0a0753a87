"""Clusters as ``JobFlowDetail``: how DescribeJobFlows told them before there was DescribeCluster."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ..applications import catalogue
from . import shapes
from .records import Cluster, Fleet, Group, Instance, Record, Step

if TYPE_CHECKING:
    from .history import History

Shape = dict[str, Any]
# States that the older operation calls otherwise (JobFlowExecutionState, StepExecutionState of the API reference).
STATES = {"TERMINATING": "SHUTTING_DOWN", "TERMINATED_WITH_ERRORS": "FAILED"}
STEP_STATES = {"CANCEL_PENDING": "RUNNING"}
COMPLETED = "ALL_STEPS_COMPLETED"  # the reason of a cluster that ended by itself
SETTINGS = ("LogEncryptionKmsKeyId", "ServiceRole", "AutoScalingRole")
EC2 = ("Ec2KeyName", "Ec2SubnetId")


def state(cluster: Cluster) -> str:
    """A JobFlowExecutionState: TERMINATED is what somebody ended, COMPLETED what had no more to do."""
    if cluster.state == "TERMINATED" and cluster.reason_code == COMPLETED:
        return "COMPLETED"
    return STATES.get(cluster.state, cluster.state)


def told(history: History, cluster: Cluster) -> Shape:
    settings = {name: cluster.settings[name] for name in SETTINGS if name in cluster.settings}
    return {
        **settings,
        "JobFlowId": cluster.id,
        "Name": cluster.name,
        "LogUri": cluster.log_uri or None,
        "ExecutionStatusDetail": {**times(cluster), "State": state(cluster), "ReadyDateTime": ready(cluster)},
        "Instances": instances(history, cluster),
        "Steps": [step(one) for one in history.of(Step, cluster.id)],
        "BootstrapActions": [bootstrap_action(one) for one in cluster.bootstrap_actions],
        "SupportedProducts": [],
        "VisibleToAllUsers": cluster.visible,
        "JobFlowRole": cluster.ec2.get("IamInstanceProfile"),
        "ScaleDownBehavior": cluster.settings.get("ScaleDownBehavior", "TERMINATE_AT_TASK_COMPLETION"),
    }


def times(record: Record) -> Shape:
    """What all details of this kind have."""
    return {
        "CreationDateTime": shapes.moment(record.created),
        "StartDateTime": ready(record),
        "EndDateTime": shapes.moment(record.ended),
        "LastStateChangeReason": record.reason or None,
    }


def ready(record: Record) -> datetime | None:
    return shapes.moment(record.ready)


def instances(history: History, cluster: Cluster) -> Shape:
    nodes = history.of(Instance, cluster.id)
    groups = history.of(Group, cluster.id)
    running = [one.group for one in nodes if one.state == "RUNNING"]
    masters = members(history, cluster, nodes, "MASTER")
    workers = members(history, cluster, nodes, "CORE")
    types = {one.role: one.instance_type for one in groups}
    master = types.get("MASTER") or (masters[0].instance_type if masters else fleet_type(history, cluster, "MASTER"))
    worker = types.get("CORE") or (workers[0].instance_type if workers else fleet_type(history, cluster, "CORE"))
    return {
        **{name: cluster.ec2[name] for name in EC2 if name in cluster.ec2},
        "MasterInstanceType": master,
        "SlaveInstanceType": worker or master,
        "MasterPublicDnsName": cluster.master or None,
        "MasterInstanceId": masters[0].ec2 if masters else None,
        "InstanceCount": sum(one.requested for one in groups) or len([one for one in nodes if not one.over]),
        "InstanceGroups": [group(one, running.count(one.id)) for one in groups],
        "NormalizedInstanceHours": shapes.hours(nodes),
        "Placement": {"AvailabilityZone": cluster.ec2.get("Ec2AvailabilityZone")},
        "KeepJobFlowAliveWhenNoSteps": cluster.keep_alive,
        "TerminationProtected": cluster.protected,
        "UnhealthyNodeReplacement": shapes.replaces_unhealthy(cluster),
        "HadoopVersion": catalogue()["Hadoop"].version,
    }


def members(history: History, cluster: Cluster, nodes: Sequence[Instance], role: str) -> list[Instance]:
    """Instances of a role, those that live first."""
    collections: list[Group | Fleet] = [*history.of(Group, cluster.id), *history.of(Fleet, cluster.id)]
    wanted = {one.id for one in collections if one.role == role}
    return sorted((one for one in nodes if one.group in wanted), key=lambda one: one.over)


def fleet_type(history: History, cluster: Cluster, role: str) -> str:
    """The first instance type that a fleet names, while it has no instance yet."""
    for fleet in history.of(Fleet, cluster.id):
        if fleet.role == role and fleet.types:
            return str(fleet.types[0]["InstanceType"])
    return ""


def group(record: Group, running: int) -> Shape:
    return {
        **times(record),
        "InstanceGroupId": record.id,
        "Name": record.name,
        "Market": record.market,
        "InstanceRole": record.role,
        "BidPrice": record.bid_price or None,
        "InstanceType": record.instance_type,
        "InstanceRequestCount": record.requested,
        "InstanceRunningCount": running,
        "State": record.state,
        "ReadyDateTime": ready(record),
        "CustomAmiId": record.custom_ami or None,
    }


def step(record: Step) -> Shape:
    work = {
        "Properties": [{"Key": name, "Value": value} for name, value in record.properties.items()],
        "Jar": record.jar,
        "MainClass": record.main_class or None,
        "Args": record.arguments,
    }
    return {
        "StepConfig": {"Name": record.name, "ActionOnFailure": record.action_on_failure, "HadoopJarStep": work},
        "ExecutionStatusDetail": {**times(record), "State": STEP_STATES.get(record.state, record.state)},
    }


def bootstrap_action(given: Shape) -> Shape:
    script = {"Path": given["ScriptPath"], "Args": given["Args"]}
    return {"BootstrapActionConfig": {"Name": given["Name"], "ScriptBootstrapAction": script}}
