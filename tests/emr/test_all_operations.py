"""All operations of botocore's model of EMR, over the wire: a small valid request of each, and what damages one.

Answers are held against the model: its members, types, enums, lengths, patterns, and what must be there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from emrlab.emr.access import public_access
from emrlab.emr.interactive.notebooks import NotebookExecution
from emrlab.emr.interactive.sessions import Session
from emrlab.emr.operations import studios
from emrlab.emr.registry import OPERATIONS
from emrlab.emr.service import EmrService
from emrlab.region import models

from .conftest import Life, step, wanted
from .modelled import changed, misfits, named, places, whole
from .network import Network
from .wire import Wire

ALL = sorted(models.model("emr").operation_names)
ROLE, POLICY = "arn:aws:iam::123456789012:role/a", "arn:aws:iam::123456789012:policy/a"
RULE = {
    "Name": "more",
    "Action": {"SimpleScalingPolicyConfiguration": {"AdjustmentType": "CHANGE_IN_CAPACITY", "ScalingAdjustment": 1}},
    "Trigger": {
        "CloudWatchAlarmDefinition": {
            "ComparisonOperator": "LESS_THAN",
            "MetricName": "YARNMemoryAvailablePercentage",
            "Period": 300,
            "Threshold": 15.0,
        }
    },
}
SCALING = {"Constraints": {"MinCapacity": 1, "MaxCapacity": 2}, "Rules": [RULE]}
LIMITS = {"UnitType": "Instances", "MinimumCapacityUnits": 1, "MaximumCapacityUnits": 3}
STUDIO = {
    "Name": "ours",
    "AuthMode": "SSO",
    "VpcId": "vpc-1",
    "SubnetIds": ["subnet-1"],
    "ServiceRole": ROLE,
    "UserRole": ROLE,
    "WorkspaceSecurityGroupId": "sg-1",
    "EngineSecurityGroupId": "sg-2",
    "DefaultS3Location": "s3://bucket/studio",
}


class World:
    """A region's EMR over the wire, and what a request may be about: made when it is first asked for."""

    def __init__(self, emr: EmrService, ask: Callable[..., Any], wire: Wire) -> None:
        self.emr, self.make, self.wire = emr, ask, wire

    def life(self, **params: Any) -> Life:
        made = self.make("RunJobFlow", **wanted(**params))["JobFlowId"]
        return Life(self.make, made).until_state("WAITING")

    @property
    def cluster(self) -> str:
        return self.life().id

    @property
    def fleets(self) -> Life:
        kinds = [{"InstanceType": "m5.xlarge"}]
        both = [
            {"InstanceFleetType": role, "TargetOnDemandCapacity": 1, "InstanceTypeConfigs": kinds}
            for role in ("MASTER", "CORE")
        ]
        instances = {"InstanceFleets": both, "InstanceCount": 0, "MasterInstanceType": "", "SlaveInstanceType": ""}
        return self.life(Instances=instances)

    def in_group(self, **more: Any) -> dict[str, Any]:
        life = self.life(AutoScalingRole="EMR_AutoScaling_DefaultRole")
        groups = self.make("ListInstanceGroups", ClusterId=life.id)["InstanceGroups"]
        core = next(one["Id"] for one in groups if one["InstanceGroupType"] == "CORE")
        return {"ClusterId": life.id, "InstanceGroupId": core, **more}

    def of_step(self, *command: str) -> dict[str, Any]:
        life = self.life()
        return {"ClusterId": life.id, "StepId": life.add(step("one", *command))[0]}

    def ui(self) -> str:
        life = self.life(Applications=[{"Name": "Hadoop"}, {"Name": "Spark"}])
        arn = life.told["ClusterArn"]
        return self.make("CreatePersistentAppUI", TargetResourceArn=arn)["PersistentAppUIId"]

    def session(self) -> dict[str, Any]:
        made = Session("is-1", self.cluster, "IDLE", "123456789012", "us-east-1", "mine", "emr-7.9.0")
        self.emr.history.add(made)
        return {"ClusterId": made.cluster, "SessionId": made.id}

    def execution(self) -> dict[str, Any]:
        where = {"notebook": "s3://bucket/a.ipynb", "output": "s3://bucket/out/a.ipynb"}
        made = NotebookExecution("ex-1", self.cluster, "RUNNING", "123456789012", "us-east-1", **where)
        self.emr.history.add(made)
        return {"NotebookExecutionId": made.id}

    @property
    def configuration(self) -> str:
        return self.make("CreateSecurityConfiguration", Name="mine", SecurityConfiguration="{}")["Name"]

    @property
    def studio(self) -> str:
        return self.make("CreateStudio", **STUDIO)["StudioId"]

    def user(self, exists: bool = True) -> dict[str, Any]:
        found = {"StudioId": self.studio, "IdentityName": "ann", "IdentityType": "USER"}
        if exists:
            self.make("CreateStudioSessionMapping", **found, SessionPolicyArn=POLICY)
        return found


def add_fleet(world: World) -> dict[str, Any]:
    task = {
        "InstanceFleetType": "TASK",
        "TargetSpotCapacity": 1,
        "InstanceTypeConfigs": [{"InstanceType": "m5.xlarge"}],
    }
    return {"ClusterId": world.fleets.id, "InstanceFleet": task}


def modify_fleet(world: World) -> dict[str, Any]:
    life = world.fleets
    fleets = world.make("ListInstanceFleets", ClusterId=life.id)["InstanceFleets"]
    core = next(one["Id"] for one in fleets if one["InstanceFleetType"] == "CORE")
    return {"ClusterId": life.id, "InstanceFleet": {"InstanceFleetId": core, "TargetOnDemandCapacity": 1}}


def modify_groups(world: World) -> dict[str, Any]:
    found = world.in_group()
    change = {"InstanceGroupId": found["InstanceGroupId"], "InstanceCount": 2}
    return {"ClusterId": found["ClusterId"], "InstanceGroups": [change]}


def cancel(world: World) -> dict[str, Any]:
    found = world.of_step("sleep", "60")
    return {"ClusterId": found["ClusterId"], "StepIds": [found["StepId"]]}


def notebook(world: World) -> dict[str, Any]:
    here = {"Bucket": "bucket", "Key": "none.ipynb"}
    places = {"NotebookS3Location": here, "OutputNotebookS3Location": here}
    return {"ExecutionEngine": {"Id": world.cluster}, "ServiceRole": ROLE, **places}


GROUP = {"InstanceRole": "TASK", "InstanceType": "m5.xlarge", "InstanceCount": 1}
REQUESTS: dict[str, Callable[[World], dict[str, Any]]] = {
    "AddInstanceFleet": add_fleet,
    "AddInstanceGroups": lambda world: {"JobFlowId": world.cluster, "InstanceGroups": [GROUP]},
    "AddJobFlowSteps": lambda world: {"JobFlowId": world.cluster, "Steps": [step("one", "true")]},
    "AddTags": lambda world: {"ResourceId": world.cluster, "Tags": [{"Key": "a"}]},
    "CancelSteps": cancel,
    "CreatePersistentAppUI": lambda world: {
        "TargetResourceArn": world.life(Applications=[{"Name": "Spark"}]).told["ClusterArn"]
    },
    "CreateSecurityConfiguration": lambda world: {"Name": "mine", "SecurityConfiguration": "{}"},
    "CreateStudio": lambda world: STUDIO,
    "CreateStudioSessionMapping": lambda world: {**world.user(exists=False), "SessionPolicyArn": POLICY},
    "DeleteSecurityConfiguration": lambda world: {"Name": world.configuration},
    "DeleteStudio": lambda world: {"StudioId": world.studio},
    "DeleteStudioSessionMapping": lambda world: world.user(),
    "DescribeCluster": lambda world: {"ClusterId": world.cluster},
    "DescribeJobFlows": lambda world: {"JobFlowIds": [world.of_step("true")["ClusterId"]]},
    "DescribeNotebookExecution": lambda world: world.execution(),
    "DescribePersistentAppUI": lambda world: {"PersistentAppUIId": world.ui()},
    "DescribeReleaseLabel": lambda world: {},
    "DescribeSecurityConfiguration": lambda world: {"Name": world.configuration},
    "DescribeStep": lambda world: world.of_step("true"),
    "DescribeStudio": lambda world: {"StudioId": world.studio},
    "GetAutoTerminationPolicy": lambda world: {"ClusterId": world.cluster},
    "GetBlockPublicAccessConfiguration": lambda world: {},
    "GetClusterSessionCredentials": lambda world: {"ClusterId": world.cluster, "ExecutionRoleArn": ROLE},
    "GetManagedScalingPolicy": lambda world: {"ClusterId": world.cluster},
    "GetOnClusterAppUIPresignedURL": lambda world: {
        "ClusterId": world.cluster,
        "OnClusterAppUIType": "ResourceManager",
        "DryRun": True,
    },
    "GetPersistentAppUIPresignedURL": lambda world: {"PersistentAppUIId": "p-none"},
    "GetSession": lambda world: world.session(),
    "GetSessionEndpoint": lambda world: world.session(),
    "GetStudioSessionMapping": lambda world: world.user(),
    "ListBootstrapActions": lambda world: {"ClusterId": world.cluster},
    "ListClusters": lambda world: {"ClusterStates": ["WAITING"]} if world.cluster else {},
    "ListInstanceFleets": lambda world: {"ClusterId": world.fleets.id},
    "ListInstanceGroups": lambda world: {"ClusterId": world.cluster},
    "ListInstances": lambda world: {"ClusterId": world.cluster},
    "ListNotebookExecutions": lambda world: {"Marker": ""} if world.execution() else {},
    "ListReleaseLabels": lambda world: {},
    "ListSecurityConfigurations": lambda world: {"Marker": ""} if world.configuration else {},
    "ListSessions": lambda world: {"ClusterId": world.session()["ClusterId"]},
    "ListSteps": lambda world: {"ClusterId": world.of_step("true")["ClusterId"]},
    "ListStudioSessionMappings": lambda world: {"StudioId": world.user()["StudioId"]},
    "ListStudios": lambda world: {"Marker": ""} if world.studio else {},
    "ListSupportedInstanceTypes": lambda world: {"ReleaseLabel": "emr-7.9.0"},
    "ModifyCluster": lambda world: {"ClusterId": world.cluster, "StepConcurrencyLevel": 2},
    "ModifyInstanceFleet": modify_fleet,
    "ModifyInstanceGroups": modify_groups,
    "PutAutoScalingPolicy": lambda world: world.in_group(AutoScalingPolicy=SCALING),
    "PutAutoTerminationPolicy": lambda world: {
        "ClusterId": world.cluster,
        "AutoTerminationPolicy": {"IdleTimeout": 3600},
    },
    "PutBlockPublicAccessConfiguration": lambda world: {
        "BlockPublicAccessConfiguration": {"BlockPublicSecurityGroupRules": True}
    },
    "PutManagedScalingPolicy": lambda world: {
        "ClusterId": world.cluster,
        "ManagedScalingPolicy": {"ComputeLimits": LIMITS},
    },
    "RemoveAutoScalingPolicy": lambda world: world.in_group(),
    "RemoveAutoTerminationPolicy": lambda world: {"ClusterId": world.cluster},
    "RemoveManagedScalingPolicy": lambda world: {"ClusterId": world.cluster},
    "RemoveTags": lambda world: {"ResourceId": world.cluster, "TagKeys": ["a"]},
    "RunJobFlow": lambda world: wanted(),
    "SetKeepJobFlowAliveWhenNoSteps": lambda world: {
        "JobFlowIds": [world.cluster],
        "KeepJobFlowAliveWhenNoSteps": True,
    },
    "SetTerminationProtection": lambda world: {"JobFlowIds": [world.cluster], "TerminationProtected": False},
    "SetUnhealthyNodeReplacement": lambda world: {"JobFlowIds": [world.cluster], "UnhealthyNodeReplacement": True},
    "SetVisibleToAllUsers": lambda world: {"JobFlowIds": [world.cluster], "VisibleToAllUsers": True},
    "StartNotebookExecution": notebook,
    "StartSession": lambda world: {"ClusterId": world.cluster, "Name": "mine"},
    "StopNotebookExecution": lambda world: world.execution(),
    "TerminateJobFlows": lambda world: {"JobFlowIds": [world.cluster]},
    "TerminateSession": lambda world: world.session(),
    "UpdateStudio": lambda world: {"StudioId": world.studio, "Name": "new"},
    "UpdateStudioSessionMapping": lambda world: {**world.user(), "SessionPolicyArn": POLICY},
}
# Requests that are answered by an error: what they are about needs an engine, or is on no cluster here.
REFUSED = {
    "GetClusterSessionCredentials": "Runtime roles are not supported on this cluster",
    "StartSession": "Sessions are not enabled",
    "GetSessionEndpoint": "it has an endpoint while",
    "GetPersistentAppUIPresignedURL": "p-none",
}
# What EMR answers besides the errors that the model has for an operation: for some, it has none at all.
COMMON = {"ValidationException", "InvalidRequestException"}


@pytest.fixture
def wire(emr: EmrService, bucket: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    network = Network()
    for module in (public_access, studios):
        monkeypatch.setattr(module, "EC2", lambda *_: network)
    monkeypatch.setattr(studios, "S3", lambda *_: bucket)
    found = Wire(emr)
    yield found
    found.close()


@pytest.fixture
def world(emr: EmrService, ask: Callable[..., Any], wire: Wire) -> World:
    return World(emr, ask, wire)


def test_all_sixty_five_operations_are_built():
    assert set(OPERATIONS) == set(ALL) == set(REQUESTS)
    assert len(ALL) == 65


@pytest.mark.parametrize("name", ALL)
def test_a_small_valid_request_is_answered_as_the_model_says(world, name):
    status, answer = world.wire.ask(name, REQUESTS[name](world))
    if name in REFUSED:
        assert (status, REFUSED[name] in answer.get("message", "")) == (400, True), answer
        assert answer["__type"] in COMMON | {one.name for one in models.operation("emr", name).error_shapes}
        return
    assert status == 200, answer
    shape = models.operation("emr", name).output_shape
    wrong = misfits(shape, answer, name) if shape else list(answer)
    assert wrong == []


@pytest.mark.parametrize("name", ALL)
def test_what_the_model_demands_and_does_not_get_is_named(wire, name):
    shape = models.operation("emr", name).input_shape
    request = whole(shape)
    demanded = [path for path, _, required in places(shape, request) if required]
    wrong = {}
    for path in demanded:
        status, answer = wire.ask(name, changed(request, path))
        said = f"Value null at '{named(path)}' failed to satisfy constraint: Member must not be null"
        if (status, answer["__type"]) != (400, "ValidationException") or said not in answer["message"]:
            wrong[named(path)] = answer
    assert wrong == {}
    assert demanded or not shape.required_members


@pytest.mark.parametrize("name", ALL)
def test_a_value_that_an_enum_does_not_have_is_named_with_those_it_has(wire, name):
    shape = models.operation("emr", name).input_shape
    request = whole(shape)
    wrong = {}
    for path, one, _ in places(shape, request):
        if not getattr(one, "enum", None):
            continue
        status, answer = wire.ask(name, changed(request, path, "NO_SUCH_VALUE"))
        said = f"Value 'NO_SUCH_VALUE' at '{named(path)}' failed to satisfy constraint: Member must satisfy enum value"
        if (status, answer["__type"]) != (400, "ValidationException") or said not in answer["message"]:
            wrong[named(path)] = answer
    assert wrong == {}


@pytest.mark.parametrize("name", ALL)
def test_a_value_of_another_type_is_a_serialization_exception(wire, name):
    shape = models.operation("emr", name).input_shape
    request = whole(shape)
    wrong = {}
    for path, one, _ in places(shape, request):
        other = {"a": []} if one.type_name not in ("structure", "map") else [1]
        status, answer = wire.ask(name, changed(request, path, other))
        if (status, answer["__type"]) != (400, "SerializationException"):
            wrong[named(path)] = answer
    assert wrong == {}


@pytest.mark.parametrize("name", ALL)
def test_limits_of_texts_and_numbers_are_kept(wire, name):
    shape = models.operation("emr", name).input_shape
    request = whole(shape)
    wrong = {}
    for path, one, _ in places(shape, request):
        rules = one.metadata
        bad = []
        if one.type_name == "string" and not rules.get("enum"):
            bad += ["a" * (rules["max"] + 1)] if "max" in rules else []
            bad += ["a" * (rules["min"] - 1)] if rules.get("min") else []
            bad += ["\x00"] if "pattern" in rules else []
        elif one.type_name in ("integer", "long"):
            bad += [rules["max"] + 1] if "max" in rules else []
            bad += [rules["min"] - 1] if "min" in rules else []
        for value in bad:
            status, answer = wire.ask(name, changed(request, path, value))
            if (status, answer["__type"]) != (400, "ValidationException") or named(path) not in answer["message"]:
                wrong[named(path)] = answer
    assert wrong == {}


@pytest.mark.parametrize("name", ALL)
def test_ids_of_nothing_are_refused_in_words_and_never_a_server_error(wire, name):
    """A whole request about things that are not there: done, or refused with an error that EMR documents."""
    shape = models.operation("emr", name).input_shape
    status, answer = wire.ask(name, whole(shape))
    if status == 200:
        assert not shape.required_members or name == "PutBlockPublicAccessConfiguration", answer
    else:
        assert status == 400, answer
        assert answer["__type"] in COMMON | {one.name for one in models.operation("emr", name).error_shapes}
        assert answer["message"]


def test_the_checks_of_answers_see_what_does_not_fit():
    shape = models.operation("emr", "DescribeStep").output_shape
    good: dict[str, Any] = {"Step": {"Id": "s-1", "ActionOnFailure": "CONTINUE", "Status": {"Timeline": {}}}}
    assert misfits(shape, good) == []
    for path, value in {
        ("Step", "Id"): 1,
        ("Step", "ActionOnFailure"): "X",
        ("Step", "Other"): 1,
        ("Step",): [],
    }.items():
        assert len(misfits(shape, changed(good, path, value))) == 1
    required = models.operation("emr", "GetBlockPublicAccessConfiguration").output_shape
    assert len(misfits(required, {})) == 2
    assert json.dumps(whole(models.operation("emr", "RunJobFlow").input_shape))
