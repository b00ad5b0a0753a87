"""``aws emr``: each subcommand that the CLI has, once, with arguments that make sense on two living clusters.

The scenario runs once, as a learner's shell would; each test looks at one subcommand's answer. Which subcommands there
are is asked of the CLI: a new one must be told here what to do.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import nbformat
import pytest
from awscli.clidriver import create_clidriver
from botocore.exceptions import ClientError

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]
AWS = str(Path(sys.executable).with_name("aws"))
ELSEWHERE = {
    "ssh",
    "put",
    "get",
    "socks",
}  # with a key pair, where there is an SSH client: tests/emr/test_real_cluster.py
# The CLI itself refuses these for clusters with a release label, which all of emrlab's have.
OLD = {
    "install-applications": ("--applications", "Name=Hive"),
    "create-hbase-backup": ("--dir", "s3://cli/backup"),
    "schedule-hbase-backup": (
        *("--type", "full", "--dir", "s3://cli/backup", "--interval", "1"),
        *("--unit", "days"),
    ),
    "disable-hbase-backups": ("--full",),
    "restore-from-hbase-backup": ("--dir", "s3://cli/backup"),
}
INSTANCES = [{"InstanceType": "m5.xlarge"}]
RULE = {
    "Name": "grow",
    "Action": {"SimpleScalingPolicyConfiguration": {"AdjustmentType": "CHANGE_IN_CAPACITY", "ScalingAdjustment": 1}},
    "Trigger": {
        "CloudWatchAlarmDefinition": {
            "ComparisonOperator": "LESS_THAN",
            "MetricName": "YARNMemoryAvailablePercentage",
            "Period": 300,
            "Threshold": 0.5,
        }
    },
}


@dataclass(repr=False)
class Shell:
    """Runs ``aws emr …`` and keeps what each subcommand answered last: its JSON, or what it said when it failed."""

    answers: dict[str, Any] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def __call__(self, name: str, *arguments: str | dict[str, Any] | list[Any]) -> Any:
        given = [one if isinstance(one, str) else json.dumps(one) for one in arguments]
        command = [AWS, "emr", *name.split(), *given, "--output", "json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
        if done.returncode:
            self.failed[name] = f"exit {done.returncode}: {done.stderr.strip()}"
            return {}
        self.answers[name] = json.loads(done.stdout) if done.stdout.strip() else None
        return self.answers[name] or {}


def until(look: Callable[[], Any], *wanted: str) -> None:
    """Wait until what is looked at is one of ``wanted``; what it is instead shows in the answers afterwards."""
    deadline = time.monotonic() + 120
    with suppress(ClientError):
        while look() not in wanted and time.monotonic() < deadline:
            time.sleep(0.2)


@pytest.fixture(scope="module")
def shell(region, emr, s3):
    """After the whole scenario."""
    aws = Shell()
    s3.create_bucket(Bucket="cli")
    aws("create-default-roles")
    grouped, fleeted = clusters(aws)
    assert not aws.failed, aws.failed
    for cluster in (grouped, fleeted):
        until(lambda one=cluster: emr.describe_cluster(ClusterId=one)["Cluster"]["Status"]["State"], "WAITING")
    aws("wait cluster-running", "--cluster-id", grouped)
    aws("describe-cluster", "--cluster-id", grouped)
    aws("list-clusters", "--active")
    for name, arguments in OLD.items():
        aws(name, "--cluster-id", grouped, *arguments)
    steps(aws, emr, grouped)
    attributes(aws, grouped)
    groups(aws, emr, grouped)
    fleets(aws, fleeted)
    account(aws)
    studios(aws)
    interfaces(aws, emr, grouped)
    notebooks(aws, emr, s3, grouped)
    sessions(aws, emr, grouped)
    aws("terminate-clusters", "--cluster-ids", grouped, fleeted)
    until(lambda: emr.describe_cluster(ClusterId=grouped)["Cluster"]["Status"]["State"], "TERMINATED")
    aws("wait cluster-terminated", "--cluster-id", grouped)
    return aws


def clusters(aws: Shell) -> tuple[str, str]:
    common = ("--release-label", "emr-7.9.0", "--use-default-roles", "--log-uri", "s3://cli/logs", "--tags", "owner=me")
    fleet = "InstanceFleetType={},TargetOnDemandCapacity=1,InstanceTypeConfigs=[{{InstanceType=m5.xlarge}}]"
    both = [fleet.format(kind) for kind in ("MASTER", "CORE")]
    fleeted = aws("create-cluster", "--name", "fleets", *common, "--instance-fleets", *both)
    grouped = aws(
        *("create-cluster", "--name", "groups", *common, "--applications", "Name=Hadoop", "Name=Spark"),
        *("--instance-type", "m5.xlarge", "--instance-count", "2"),
        *("--auto-scaling-role", "EMR_AutoScaling_DefaultRole", "--enable-debugging", "--session-enabled"),
        *("--auto-termination-policy", "IdleTimeout=3600"),
    )
    return grouped.get("ClusterId", ""), fleeted.get("ClusterId", "")


def steps(aws: Shell, emr: Any, cluster: str) -> None:
    on = ("--cluster-id", cluster)
    kind = "Type=CUSTOM_JAR,ActionOnFailure=CONTINUE,Jar=command-runner.jar"
    made = aws("add-steps", *on, "--steps", f"{kind},Name=quick,Args=[true]", f"{kind},Name=long,Args=[sleep,300]")
    quick, long = made.get("StepIds", ["", ""])
    until(lambda: emr.describe_step(ClusterId=cluster, StepId=quick)["Step"]["Status"]["State"], "COMPLETED", "FAILED")
    aws("wait step-complete", *on, "--step-id", quick)
    aws("cancel-steps", *on, "--step-ids", long, "--step-cancellation-option", "TERMINATE_PROCESS")
    aws("describe-step", *on, "--step-id", quick)
    aws("list-steps", *on)


def attributes(aws: Shell, cluster: str) -> None:
    on = ("--cluster-id", cluster)
    aws("add-tags", "--resource-id", cluster, "--tags", "team=data", "empty")
    aws("remove-tags", "--resource-id", cluster, "--tag-keys", "empty")
    aws("modify-cluster-attributes", *on, "--no-termination-protected", "--unhealthy-node-replacement")
    aws("modify-cluster", *on, "--step-concurrency-level", "3")
    aws("put-auto-termination-policy", *on, "--auto-termination-policy", "IdleTimeout=7200")
    aws("get-auto-termination-policy", *on)
    aws("remove-auto-termination-policy", *on)
    aws("get-cluster-session-credentials", *on, "--execution-role-arn", "arn:aws:iam::123456789012:role/me")


def groups(aws: Shell, emr: Any, cluster: str) -> None:
    on = ("--cluster-id", cluster)
    wanted = "InstanceGroupType=TASK,InstanceCount=1,InstanceType=m5.xlarge"
    made = aws("add-instance-groups", *on, "--instance-groups", wanted).get("InstanceGroupIds", [""])[0]
    state = lambda: {one["Id"]: one for one in emr.list_instance_groups(ClusterId=cluster)["InstanceGroups"]}  # noqa: E731
    until(lambda: state().get(made, {"Status": {"State": "RUNNING"}})["Status"]["State"], "RUNNING")
    aws("list-instances", *on, "--instance-group-types", "TASK")
    policy = {"Constraints": {"MinCapacity": 0, "MaxCapacity": 2}, "Rules": [RULE]}
    aws("put-auto-scaling-policy", *on, "--instance-group-id", made, "--auto-scaling-policy", policy)
    aws("remove-auto-scaling-policy", *on, "--instance-group-id", made)
    aws("modify-instance-groups", "--instance-groups", f"InstanceGroupId={made},InstanceCount=0")
    limits = {"UnitType": "Instances", "MinimumCapacityUnits": 1, "MaximumCapacityUnits": 2}
    aws("put-managed-scaling-policy", *on, "--managed-scaling-policy", {"ComputeLimits": limits})
    aws("get-managed-scaling-policy", *on)
    aws("remove-managed-scaling-policy", *on)


def fleets(aws: Shell, cluster: str) -> None:
    on = ("--cluster-id", cluster)
    wanted = {"InstanceFleetType": "TASK", "TargetOnDemandCapacity": 1, "InstanceTypeConfigs": INSTANCES}
    made = aws("add-instance-fleet", *on, "--instance-fleet", wanted).get("InstanceFleetId", "")
    aws("list-instance-fleets", *on)
    aws("modify-instance-fleet", *on, "--instance-fleet", f"InstanceFleetId={made},TargetOnDemandCapacity=0")


def account(aws: Shell) -> None:
    aws("list-release-labels", "--filters", "Prefix=emr-7")
    aws("describe-release-label", "--release-label", "emr-7.9.0")
    aws("list-supported-instance-types", "--release-label", "emr-7.9.0")
    encryption = {"EnableInTransitEncryption": False, "EnableAtRestEncryption": False}
    content = {"EncryptionConfiguration": encryption}
    aws("create-security-configuration", "--name", "cli", "--security-configuration", content)
    aws("describe-security-configuration", "--name", "cli")
    aws("list-security-configurations")
    aws("delete-security-configuration", "--name", "cli")
    ranges = [{"MinRange": 22, "MaxRange": 22}]
    aws(
        *("put-block-public-access-configuration", "--block-public-access-configuration"),
        {"BlockPublicSecurityGroupRules": True, "PermittedPublicSecurityGroupRuleRanges": ranges},
    )
    aws("get-block-public-access-configuration")


def studios(aws: Shell) -> None:
    session = boto3.session.Session()
    ec2, iam = session.client("ec2"), session.client("iam")
    subnet = ec2.describe_subnets()["Subnets"][0]
    group = lambda name: ec2.create_security_group(GroupName=name, Description=name, VpcId=subnet["VpcId"])["GroupId"]  # noqa: E731
    trust = {"Effect": "Allow", "Principal": {"Service": "elasticmapreduce.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": trust})
    role = iam.create_role(RoleName="studio", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    rights = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
    policy = iam.create_policy(PolicyName="studio", PolicyDocument=json.dumps(rights))["Policy"]["Arn"]
    made = aws(
        *("create-studio", "--name", "cli", "--auth-mode", "SSO", "--vpc-id", subnet["VpcId"]),
        *("--subnet-ids", subnet["SubnetId"], "--service-role", role, "--user-role", role),
        *("--workspace-security-group-id", group("workspace"), "--engine-security-group-id", group("engine")),
        *("--default-s3-location", "s3://cli/studio"),
    ).get("StudioId", "")
    on = ("--studio-id", made)
    aws("update-studio", *on, "--description", "of the CLI")
    aws("describe-studio", *on)
    aws("list-studios")
    who = (*on, "--identity-type", "USER", "--identity-name", "ann")
    aws("create-studio-session-mapping", *who, "--session-policy-arn", policy)
    aws("update-studio-session-mapping", *who, "--session-policy-arn", policy)
    aws("get-studio-session-mapping", *who)
    aws("list-studio-session-mappings", *on)
    aws("delete-studio-session-mapping", *who)
    aws("delete-studio", *on)


def interfaces(aws: Shell, emr: Any, cluster: str) -> None:
    arn = emr.describe_cluster(ClusterId=cluster)["Cluster"]["ClusterArn"]
    ui = aws("create-persistent-app-ui", "--target-resource-arn", arn).get("PersistentAppUIId", "")
    aws("describe-persistent-app-ui", "--persistent-app-ui-id", ui)
    aws("get-persistent-app-ui-presigned-url", "--persistent-app-ui-id", ui)
    kind = ("--on-cluster-app-ui-type", "ResourceManager")
    aws("get-on-cluster-app-ui-presigned-url", "--cluster-id", cluster, *kind)


def notebooks(aws: Shell, emr: Any, s3: Any, cluster: str) -> None:
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("import time\ntime.sleep(300)")])
    s3.put_object(Bucket="cli", Key="book.ipynb", Body=nbformat.writes(book).encode())
    made = aws(
        *("start-notebook-execution", "--execution-engine", f"Id={cluster},Type=EMR"),
        *("--notebook-s3-location", "Bucket=cli,Key=book.ipynb"),
        *("--output-notebook-s3-location", "Bucket=cli,Key=out", "--service-role", "EMR_Notebooks_DefaultRole"),
    ).get("NotebookExecutionId", "")
    on = ("--notebook-execution-id", made)
    state = lambda: emr.describe_notebook_execution(NotebookExecutionId=made)["NotebookExecution"]["Status"]  # noqa: E731
    until(state, "RUNNING", "FAILED")
    aws("describe-notebook-execution", *on)
    aws("list-notebook-executions")
    aws("stop-notebook-execution", *on)


def sessions(aws: Shell, emr: Any, cluster: str) -> None:
    on = ("--cluster-id", cluster)
    made = aws("start-session", *on, "--name", "cli").get("Id", "")
    which = (*on, "--session-id", made)
    until(lambda: emr.get_session(ClusterId=cluster, SessionId=made)["Session"]["State"], "IDLE", "FAILED")
    aws("get-session", *which)
    aws("list-sessions", *on)
    aws("get-session-endpoint", *which)
    aws("terminate-session", *which)


def none(told: Any) -> bool:
    return told is None


CHECKS: dict[str, Callable[[Any], Any]] = {
    "add-instance-fleet": lambda told: told["InstanceFleetId"].startswith("if-") and told["ClusterArn"],
    "add-instance-groups": lambda told: told["InstanceGroupIds"][0].startswith("ig-"),
    "add-steps": lambda told: [one[:2] for one in told["StepIds"]] == ["s-", "s-"],
    "add-tags": none,
    "cancel-steps": lambda told: [one["Status"] for one in told["CancelStepsInfoList"]] == ["SUBMITTED"],
    "create-cluster": lambda told: told["ClusterId"].startswith("j-") and told["ClusterArn"],
    "create-default-roles": lambda told: told is None or isinstance(told, list),
    "create-persistent-app-ui": lambda told: told["PersistentAppUIId"].startswith("p-"),
    "create-security-configuration": lambda told: (told["Name"], bool(told["CreationDateTime"])) == ("cli", True),
    "create-studio": lambda told: told["StudioId"].startswith("es-") and told["Url"],
    "create-studio-session-mapping": none,
    "delete-security-configuration": none,
    "delete-studio": none,
    "delete-studio-session-mapping": none,
    "describe-cluster": lambda told: (
        told["Cluster"]["InstanceGroups"][0]["InstanceGroupType"] == "MASTER"
        and told["Cluster"]["BootstrapActions"] == []
        and told["Cluster"]["Tags"] == [{"Key": "owner", "Value": "me"}]
    ),
    "describe-notebook-execution": lambda told: told["NotebookExecution"]["Status"] == "RUNNING",
    "describe-persistent-app-ui": lambda told: told["PersistentAppUI"]["PersistentAppUIStatus"] == "ATTACHED",
    "describe-release-label": lambda told: {"Name": "Spark"}.items() <= told["Applications"][-1].items(),
    "describe-security-configuration": lambda told: "EncryptionConfiguration" in told["SecurityConfiguration"],
    "describe-step": lambda told: told["Step"]["Status"]["State"] == "COMPLETED",
    "describe-studio": lambda told: told["Studio"]["Description"] == "of the CLI",
    "get-auto-termination-policy": lambda told: told["AutoTerminationPolicy"] == {"IdleTimeout": 7200},
    "get-block-public-access-configuration": lambda told: (
        told["BlockPublicAccessConfiguration"]["BlockPublicSecurityGroupRules"] is True
    ),
    "get-managed-scaling-policy": lambda told: (
        told["ManagedScalingPolicy"]["ComputeLimits"]["MaximumCapacityUnits"] == 2
    ),
    "get-on-cluster-app-ui-presigned-url": lambda told: told["PresignedURL"].startswith("http"),
    "get-persistent-app-ui-presigned-url": lambda told: told["PresignedURLReady"] in (True, False),
    "get-session": lambda told: told["Session"]["State"] == "IDLE",
    "get-session-endpoint": lambda told: told["Endpoint"] and told["AuthToken"],
    "get-studio-session-mapping": lambda told: told["SessionMapping"]["IdentityName"] == "ann",
    "list-clusters": lambda told: {one["Name"] for one in told["Clusters"]} == {"groups", "fleets"},
    "list-instance-fleets": lambda told: {one["InstanceFleetType"] for one in told["InstanceFleets"]} >= {"MASTER"},
    "list-instances": lambda told: told["Instances"][0]["Status"]["State"] == "RUNNING",
    "list-notebook-executions": lambda told: len(told["NotebookExecutions"]) == 1,
    "list-release-labels": lambda told: "emr-7.9.0" in told["ReleaseLabels"],
    "list-security-configurations": lambda told: [one["Name"] for one in told["SecurityConfigurations"]] == ["cli"],
    "list-sessions": lambda told: [one["Name"] for one in told["Sessions"]] == ["cli"],
    "list-steps": lambda told: {one["Name"] for one in told["Steps"]} == {"quick", "long", "Setup Hadoop Debugging"},
    "list-studio-session-mappings": lambda told: len(told["SessionMappings"]) == 1,
    "list-studios": lambda told: [one["Name"] for one in told["Studios"]] == ["cli"],
    "list-supported-instance-types": lambda told: (
        {"m5.xlarge"} <= {one["Type"] for one in told["SupportedInstanceTypes"]}
    ),
    "modify-cluster": lambda told: told["StepConcurrencyLevel"] == 3,
    "modify-cluster-attributes": none,
    "modify-instance-fleet": none,
    "modify-instance-groups": none,
    "put-auto-scaling-policy": lambda told: told["AutoScalingPolicy"]["Rules"][0]["Name"] == "grow",
    "put-auto-termination-policy": none,
    "put-block-public-access-configuration": none,
    "put-managed-scaling-policy": none,
    "remove-auto-scaling-policy": none,
    "remove-auto-termination-policy": none,
    "remove-managed-scaling-policy": none,
    "remove-tags": none,
    "start-notebook-execution": lambda told: told["NotebookExecutionId"].startswith("ex-"),
    "start-session": lambda told: told["State"] == "SUBMITTED",
    "stop-notebook-execution": none,
    "terminate-clusters": none,
    "terminate-session": lambda told: told["State"] == "TERMINATING",
    "update-studio": none,
    "update-studio-session-mapping": none,
    "wait cluster-running": none,
    "wait cluster-terminated": none,
    "wait step-complete": none,
}
# What EMR refuses too on such a cluster.
REFUSED = {
    **dict.fromkeys(OLD, "is not supported with 'emr-7.9.0' release"),
    "get-cluster-session-credentials": "InvalidRequestException",
}


def subcommands() -> set[str]:
    """All that ``aws emr`` has, asked of the CLI itself."""
    table = create_clidriver()._get_command_table()["emr"]._get_command_table()
    waiters = {f"wait {name}" for name in table.pop("wait").subcommand_table}
    return {*table, *waiters}


def test_no_subcommand_is_missing():
    assert subcommands() == {*CHECKS, *REFUSED, *ELSEWHERE}


@pytest.mark.parametrize("name", CHECKS)
def test_it_answers(shell, name):
    assert name not in shell.failed, shell.failed[name]
    assert CHECKS[name](shell.answers[name]), shell.answers[name]


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_as_on_emr(shell, name):
    assert REFUSED[name] in shell.failed[name]
