"""RunJobFlow's parameters: what EMR does not take is refused here, the rest becomes records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..applications import resolve
from . import ids, releases
from .errors import not_built, validation
from .instance_types import all_types
from .records import Cluster, Group, Step

# Parameters whose behaviour is not built: taking them would be a lie.
NOT_BUILT = {
    "KerberosAttributes": "KerberosAttributes",
    "ManagedScalingPolicy": "ManagedScalingPolicy",
    "AutoTerminationPolicy": "AutoTerminationPolicy",
    "PlacementGroupConfigs": "PlacementGroupConfigs",
    "AmiVersion": "AmiVersion (EMR 3 and older); ReleaseLabel is, and AmiVersion",
    "SupportedProducts": "SupportedProducts",
    "NewSupportedProducts": "NewSupportedProducts",
}
# Told again by DescribeCluster, without further meaning here.
TOLD = (
    *("AutoScalingRole", "ScaleDownBehavior", "CustomAmiId", "EbsRootVolumeSize", "EbsRootVolumeIops"),
    *("EbsRootVolumeThroughput", "RepoUpgradeOnBoot", "OSReleaseLabel", "ServiceRole"),
    "LogEncryptionKmsKeyId",
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
NODES = 100  # as many as one machine can be asked to start
STEPS = 256  # active at a time ("Submit work to a cluster")
NAMES = {"MASTER": "Master Instance Group", "CORE": "Core Instance Group", "TASK": "Task Instance Group"}


def cluster(params: dict[str, Any], account: str, region: str) -> tuple[Cluster, list[Group], list[Step]]:
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
    check_configurations(configurations, applications)
    instances = params["Instances"]
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
        replaces_unhealthy=params.get("UnhealthyNodeReplacement"),
        extended_support=bool(params.get("ExtendedSupport", False)),
    )
    made = groups(cluster_id, instances, applications)
    new_steps = steps(cluster_id, params.get("Steps") or [], concurrency)
    check_count(len(new_steps), 0)
    return found, made, new_steps


def groups(cluster_id: str, instances: Mapping[str, Any], applications: list[str]) -> list[Group]:
    """The instance groups that ``Instances`` asks for, in either of its two ways."""
    if instances.get("InstanceFleets"):
        raise not_built("Instances.InstanceFleets, which EMR has,")
    asked = instances.get("InstanceGroups") or []
    short = [name for name in ("MasterInstanceType", "SlaveInstanceType", "InstanceCount") if instances.get(name)]
    if asked and short:
        raise validation(f"InstanceGroups and {short[0]} exclude each other. Give one of them.")
    if not asked:
        asked = uniform(instances)
    made = [group(cluster_id, one, applications) for one in asked]
    roles = [one.role for one in made]
    if roles.count("MASTER") != 1:
        raise validation(
            f"A cluster has exactly one master instance group. InstanceGroups has {roles.count('MASTER')}."
        )
    if roles.count("CORE") > 1:
        raise validation("A cluster has at most one core instance group.")
    if "TASK" in roles and "CORE" not in roles:
        raise validation("A task instance group needs a core instance group beside it.")
    if sum(one.requested for one in made) > NODES:
        raise validation(f"This machine cannot be asked for more than {NODES} instances. Ask for fewer.")
    return made


def uniform(instances: Mapping[str, Any]) -> list[dict[str, Any]]:
    """``MasterInstanceType``, ``SlaveInstanceType`` and ``InstanceCount`` as instance groups."""
    count, master = instances.get("InstanceCount", 0), instances.get("MasterInstanceType")
    if not count or not master:
        raise validation("Instances needs InstanceGroups, or InstanceCount and MasterInstanceType.")
    if count < 1:
        raise validation("InstanceCount must be at least 1.")
    found = [{"InstanceRole": "MASTER", "InstanceType": master, "InstanceCount": 1}]
    if count > 1:
        worker = instances.get("SlaveInstanceType") or master
        found.append({"InstanceRole": "CORE", "InstanceType": worker, "InstanceCount": count - 1})
    return found


def group(cluster_id: str, asked: Mapping[str, Any], applications: list[str]) -> Group:
    role, count, name = asked["InstanceRole"], asked["InstanceCount"], asked["InstanceType"]
    if asked.get("AutoScalingPolicy"):
        raise not_built("AutoScalingPolicy, which EMR has,")
    if asked.get("CustomAmiId"):
        raise not_built("CustomAmiId of an instance group, which EMR has,")
    check_type(name)
    if role == "MASTER" and count != 1:
        if count == 3:
            raise not_built("A cluster with three master nodes, which EMR has,")
        raise validation(f"The master instance group has 1 instance (or 3), not {count}.")
    if count < 0 or (role == "CORE" and count < 1):
        raise validation(
            f"The {role.lower()} instance group needs at least 1 instance, not {count}. Leave it out for none."
        )
    check_configurations(asked.get("Configurations") or [], applications)
    return Group(
        id=ids.made("ig"),
        cluster=cluster_id,
        state="PROVISIONING",
        name=asked.get("Name") or NAMES[role],
        role=role,
        instance_type=name,
        requested=count,
        market=asked.get("Market") or "ON_DEMAND",
        bid_price=asked.get("BidPrice", ""),
        configurations=asked.get("Configurations") or [],
        last_good=asked.get("Configurations") or [],
        ebs=asked.get("EbsConfiguration") or {},
    )


def check_type(name: str) -> None:
    if name not in all_types():
        family = name.partition(".")[0]
        near = [one for one in all_types() if one.partition(".")[0] == family] or [
            "m5.xlarge",
            "r5.xlarge",
            "c5.xlarge",
        ]
        raise validation(
            f"Instance type '{name}' is not supported. Some that are: {', '.join(near[:6])}; "
            "ListSupportedInstanceTypes lists all."
        )


def check_configurations(configurations: Iterable[Mapping[str, Any]], applications: list[str]) -> None:
    """Refuse classifications that none of the applications reads, as EMR does."""
    known = frozenset().union(*(one.classifications for one in resolve(applications)))
    for one in configurations:
        name = one.get("Classification", "")
        if name not in known:
            raise validation(
                f"The classification '{name}' belongs to none of the applications {', '.join(applications)}. "
                f"These do: {', '.join(sorted(known))}."
            )
        for nested in one.get("Configurations") or []:
            if nested.get("Classification") != "export" or not name.endswith("-env"):
                raise validation(
                    f"'{nested.get('Classification')}' cannot stand inside '{name}': only export in …-env can."
                )


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
    return found


def ec2(params: Mapping[str, Any], instances: Mapping[str, Any], region: str) -> dict[str, Any]:
    """``Ec2InstanceAttributes``."""
    found = {told: instances[name] for name, told in EC2.items() if instances.get(name)}
    subnets = instances.get("Ec2SubnetIds") or ([found["Ec2SubnetId"]] if "Ec2SubnetId" in found else [])
    zone = (instances.get("Placement") or {}).get("AvailabilityZone") or f"{region}a"
    found |= {"Ec2AvailabilityZone": zone, "RequestedEc2SubnetIds": subnets, "RequestedEc2AvailabilityZones": []}
    if subnets:
        found.setdefault("Ec2SubnetId", subnets[0])
    if role := params.get("JobFlowRole"):
        found["IamInstanceProfile"] = role
    return found
