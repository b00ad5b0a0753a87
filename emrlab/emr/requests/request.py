"""RunJobFlow's parameters: what EMR does not take is refused here, the rest becomes records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .. import ids, releases
from ..errors import not_built, validation
from ..records import Cluster, Fleet, Group, Step
from ..scaling import policies
from . import checks, fleet_request, group_request

# Parameters whose behaviour is not built: taking them would be a lie.
NOT_BUILT = {
    "KerberosAttributes": "KerberosAttributes",
    "PlacementGroupConfigs": "PlacementGroupConfigs",
    "AmiVersion": "AmiVersion (EMR 3 and older); ReleaseLabel is, and AmiVersion",
    "SupportedProducts": "SupportedProducts",
    "NewSupportedProducts": "NewSupportedProducts",
    "StepExecutionRoleArn": "A runtime role for steps (StepExecutionRoleArn)",
    "MonitoringConfiguration": "MonitoringConfiguration",
    "AdditionalInfo": "AdditionalInfo",
}
# Told again by DescribeCluster, without further meaning here.
TOLD = (
    *("AutoScalingRole", "ScaleDownBehavior", "CustomAmiId", "EbsRootVolumeSize", "EbsRootVolumeIops"),
    *("EbsRootVolumeThroughput", "RepoUpgradeOnBoot", "OSReleaseLabel", "ServiceRole"),
    *("LogEncryptionKmsKeyId", "SessionEnabled"),
)
EC2 = {
    "Ec2KeyName": "Ec2KeyName",
    "Ec2SubnetId": "Ec2SubnetId",
    "EmrManagedMasterSecurityGroup": "EmrManagedMasterSecurityGroup",
    "EmrManagedSlaveSecurityGroup": "EmrManagedSlaveSecurityGroup",
    "ServiceAccessSecurityGroup": "ServiceAccessSecurityGroup",
    "AdditionalMasterSecurityGroups": "AdditionalMasterSecurityGroups",
    "AdditionalSlaveSecurityGroups": "AdditionalSlaveSecurityGroups",
}
STEPS = 256  # active at a time ("Submit work to a cluster")


def cluster(params: dict[str, Any], account: str, region: str) -> tuple[Cluster, list[Group] | list[Fleet], list[Step]]:
    """The records of a new cluster. Raises ``AwsError``."""
    for name, told in NOT_BUILT.items():
        if params.get(name):
            raise not_built(f"{told}, which EMR has,")
    if not params.get("ReleaseLabel"):
        raise validation("ReleaseLabel is missing: name a release, for example emr-7.9.0.")
    release = releases.check(params["ReleaseLabel"])
    asked = [one.get("Name", "") for one in params.get("Applications") or []]
    applications = [one.name for one in releases.applications(asked or ["Hadoop"])]
    configurations = params.get("Configurations") or []
    checks.check_configurations(configurations, applications)
    instances = params["Instances"]
    if params.get("ScaleDownBehavior") == "TERMINATE_AT_INSTANCE_HOUR":
        raise validation(
            "ScaleDownBehavior TERMINATE_AT_INSTANCE_HOUR is not supported since release 5.10.0: "
            "clusters scale down at task completion."
        )
    concurrency = params.get("StepConcurrencyLevel", 1)
    if not 1 <= concurrency <= STEPS:
        raise validation(f"StepConcurrencyLevel must be from 1 to {STEPS}.")
    cluster_id = ids.made("j")
    found = Cluster(
        id=cluster_id,
        cluster=cluster_id,
        state="STARTING",
        account=account,
        region=region,
        name=params["Name"],
        release=release,
        applications=applications,
        keep_alive=bool(instances.get("KeepJobFlowAliveWhenNoSteps", False)),
        protected=bool(instances.get("TerminationProtected", False)),
        log_uri=log_uri(params.get("LogUri", "")),
        configurations=configurations,
        bootstrap_actions=[bootstrap_action(one) for one in params.get("BootstrapActions") or []],
        step_concurrency=concurrency,
        tags=tags(params.get("Tags") or []),
        ec2=ec2(params, instances, region),
        settings={name: params[name] for name in TOLD if params.get(name) is not None},
        visible=params.get("VisibleToAllUsers", True),
        security_configuration=params.get("SecurityConfiguration", ""),
        replaces_unhealthy=instances.get("UnhealthyNodeReplacement"),
        extended_support=bool(params.get("ExtendedSupport", False)),
    )
    made = collections(cluster_id, instances, applications)
    if instances.get("InstanceFleets"):
        found.collection = "INSTANCE_FLEET"
    policies.launched(found, made, params)
    new_steps = steps(cluster_id, params.get("Steps") or [], concurrency)
    check_count(len(new_steps), 0)
    return found, made, new_steps


def collections(cluster_id: str, instances: Mapping[str, Any], applications: list[str]) -> list[Group] | list[Fleet]:
    """The instance groups or fleets that ``Instances`` asks for."""
    fleets = instances.get("InstanceFleets")
    if not fleets:
        return group_request.groups(cluster_id, instances, applications)
    for name in ("InstanceGroups", "MasterInstanceType", "SlaveInstanceType", "InstanceCount"):
        if instances.get(name):
            raise validation(f"InstanceFleets and {name} exclude each other. Give one of them.")
    return fleet_request.fleets(cluster_id, fleets, applications)


def log_uri(given: str) -> str:
    if not given:
        return ""
    scheme, _, place = given.partition("://")
    if scheme not in ("s3", "s3n", "s3a") or not place.strip("/"):
        raise validation(f"LogUri '{given}' is not valid: it is a place in S3, for example s3://my-bucket/logs/")
    return given.rstrip("/") + "/"


def bootstrap_action(given: Mapping[str, Any]) -> dict[str, Any]:
    script = given["ScriptBootstrapAction"]
    return {"Name": given["Name"], "ScriptPath": script["Path"], "Args": list(script.get("Args") or [])}


def steps(cluster_id: str, given: Iterable[Mapping[str, Any]], concurrency: int) -> list[Step]:
    """New steps, PENDING."""
    made = []
    for one in given:
        work = one["HadoopJarStep"]
        action = one.get("ActionOnFailure") or "TERMINATE_CLUSTER"
        if concurrency > 1 and one.get("ActionOnFailure") not in (None, "CONTINUE"):
            raise validation(
                f"ActionOnFailure {action} is not valid while StepConcurrencyLevel is {concurrency}: use CONTINUE."
            )
        if not work["Jar"].strip():
            raise validation("HadoopJarStep.Jar is empty. Name a JAR, for example command-runner.jar.")
        if one.get("StepMonitoringConfiguration"):
            raise not_built("StepMonitoringConfiguration, which EMR has,")
        made.append(
            Step(
                id=ids.made("s"),
                cluster=cluster_id,
                state="PENDING",
                name=one["Name"],
                jar=work["Jar"].strip(),
                arguments=list(work.get("Args") or []),
                main_class=work.get("MainClass", ""),
                properties={p.get("Key", ""): p.get("Value", "") for p in work.get("Properties") or []},
                action_on_failure=action if concurrency == 1 else "CONTINUE",
            )
        )
    return made


def check_count(new: int, active: int) -> None:
    if new + active > STEPS:
        raise validation(
            "Maximum number of active steps(State = 'Running', 'Pending' or 'Cancel_Pending') for cluster exceeded."
        )


def tags(given: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    found = {one.get("Key", ""): one.get("Value", "") for one in given}
    if "" in found:
        raise validation("A tag needs a Key.")
    if any(name.lower().startswith("aws:") for name in found):
        raise validation("Tag keys that begin with aws: are reserved.")
    if any(len(name) > 128 or len(value) > 256 for name, value in found.items()):
        raise validation("A tag's key may have 128 characters, its value 256.")
    return found


def ec2(params: Mapping[str, Any], instances: Mapping[str, Any], region: str) -> dict[str, Any]:
    """``Ec2InstanceAttributes``."""
    found = {told: instances[name] for name, told in EC2.items() if instances.get(name)}
    subnets = instances.get("Ec2SubnetIds") or ([found["Ec2SubnetId"]] if "Ec2SubnetId" in found else [])
    placement = instances.get("Placement") or {}
    zones = placement.get("AvailabilityZones") or []
    zone = placement.get("AvailabilityZone") or (zones[0] if zones else f"{region}a")
    found |= {"Ec2AvailabilityZone": zone, "RequestedEc2SubnetIds": subnets, "RequestedEc2AvailabilityZones": zones}
    if subnets:
        found.setdefault("Ec2SubnetId", subnets[0])
    if role := params.get("JobFlowRole"):
        found["IamInstanceProfile"] = role
    return found
