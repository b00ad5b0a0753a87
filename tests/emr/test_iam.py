"""What callers must be allowed: the actions, resources and condition keys of the Service Authorization Reference."""

from __future__ import annotations

import pytest

from emrlab.context import Demand
from emrlab.emr import ids
from emrlab.emr.access import iam, roles
from emrlab.emr.records import Cluster, Group
from emrlab.region import models

from .conftest import ACCOUNT, context

PREFIX = f"arn:aws:elasticmapreduce:us-east-1:{ACCOUNT}"
OPERATIONS = sorted(models.description("emr")["operations"])
# A request of each operation → what it is about, by the reference's "Resource types".
CLUSTER, STUDIO, EXECUTION, SESSION = "cluster/j-1", "studio/es-1", "notebook-execution/ex-1", "cluster/j-1/session/s-1"
IDS = {
    "ClusterId": "j-1",
    "JobFlowId": "j-1",
    "JobFlowIds": ["j-1"],
    "StudioId": "es-1",
    "NotebookExecutionId": "ex-1",
    "SessionId": "s-1",
    "ResourceId": "j-1",
    "ExecutionEngine": {"Id": "j-1"},
    "PersistentAppUIId": "p-1",
    "TargetResourceArn": f"{PREFIX}:cluster/j-1",
}
NEW = {"RunJobFlow": "cluster/*", "CreateStudio": "studio/*"}
OF_SESSIONS = ("GetSession", "GetSessionEndpoint", "TerminateSession")


@pytest.fixture
def demands(emr, identities):
    def demands(operation, **params):
        return emr.demands(operation, params, context())

    return demands


@pytest.fixture
def cluster(emr):
    """A record of a cluster, its own id and tags."""

    def cluster(cluster_id="j-1", account=ACCOUNT, **tags):
        one = Cluster(
            cluster_id, cluster_id, "WAITING", account, "us-east-1", "c", "emr-7.9.0", [], True, False, tags=tags
        )
        emr.history.add(one)
        return one

    return cluster


def members(operation):
    shape = models.operation("emr", operation).input_shape
    return shape.members if shape else {}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_demands_an_action_of_its_name_on_what_it_is_about(operation, demands, cluster, emr):
    cluster()
    emr.history.add(Group("p-1", "j-1", "RUNNING", "g", "CORE", "m5.xlarge", 1))  # for whatever belongs to the cluster
    params = {name: IDS[name] for name in members(operation) if name in IDS}
    (found,) = demands(operation, **params)
    assert found.action == f"elasticmapreduce:{operation}"
    if operation in iam.WITHOUT:
        assert found.resource == "*"
    else:
        named = "cluster/j-1"
        for member, resource in (("StudioId", STUDIO), ("NotebookExecutionId", EXECUTION)):
            named = resource if member in params else named
        named = SESSION if operation in OF_SESSIONS else NEW.get(operation, named)
        if operation in ("DescribeJobFlows", "ModifyInstanceGroups"):
            assert named == CLUSTER
        assert found.resource == f"{PREFIX}:{named}"


def test_operations_without_a_resource_are_the_references():
    assert set(OPERATIONS) >= iam.WITHOUT
    assert len(iam.WITHOUT) == 12


def test_tags_of_the_resource_are_condition_keys(demands, cluster):
    cluster(team="blue")
    (found,) = demands("DescribeCluster", ClusterId="j-1")
    assert found.keys == {"elasticmapreduce:ResourceTag/team": "blue", "aws:ResourceTag/team": "blue"}


def test_tags_of_another_accounts_cluster_are_nobodys_business(demands, cluster):
    cluster(account="210987654321", team="blue")
    (found,) = demands("DescribeCluster", ClusterId="j-1")
    assert found.keys == {}


def test_tags_of_the_request_are_condition_keys(demands):
    (found,) = demands("RunJobFlow", Tags=[{"Key": "team", "Value": "blue"}])
    assert found.keys == {
        "elasticmapreduce:RequestTag/team": "blue",
        "aws:RequestTag/team": "blue",
        "aws:TagKeys": ["team"],
    }
    (found,) = demands("RemoveTags", ResourceId="es-1", TagKeys=["team"])
    assert (found.resource, found.keys) == (f"{PREFIX}:studio/es-1", {"aws:TagKeys": ["team"]})


def test_a_runtime_role_is_a_condition_key(demands):
    arn = "arn:aws:iam::123456789012:role/runtime"
    for operation in ("AddJobFlowSteps", "GetClusterSessionCredentials"):
        (found,) = demands(operation, ClusterId="j-1", JobFlowId="j-1", ExecutionRoleArn=arn)
        assert found.keys == {"elasticmapreduce:ExecutionRoleArn": arn}


def test_every_cluster_of_a_request_counts_once(demands):
    found = demands("TerminateJobFlows", JobFlowIds=["j-1", "j-2", "j-1"])
    assert [one.resource for one in found] == [f"{PREFIX}:cluster/j-1", f"{PREFIX}:cluster/j-2"]
    (found,) = demands("DescribeJobFlows")
    assert found.resource == f"{PREFIX}:cluster/*"


def test_groups_without_their_cluster_are_looked_up(demands, emr):
    emr.history.add(Group(ids.made("ig"), "j-7", "RUNNING", "g", "CORE", "m5.xlarge", 1))
    (group,) = emr.history.of(Group, "j-7")
    (found,) = demands("ModifyInstanceGroups", InstanceGroups=[{"InstanceGroupId": group.id, "InstanceCount": 2}])
    assert found.resource == f"{PREFIX}:cluster/j-7"


def test_roles_are_passed_to_who_assumes_them(demands):
    _, *found = demands(
        "RunJobFlow",
        ServiceRole="path/EMR_Service",
        JobFlowRole="EMR_EC2_DefaultRole",
        AutoScalingRole=f"arn:aws:iam::{ACCOUNT}:role/EMR_AutoScaling_DefaultRole",
    )
    prefix = f"arn:aws:iam::{ACCOUNT}:role"
    assert found == [
        Demand("iam:PassRole", f"{prefix}/EMR_EC2_DefaultRole", {"iam:PassedToService": "ec2.amazonaws.com"}),
        Demand("iam:PassRole", f"{prefix}/path/EMR_Service", {"iam:PassedToService": "elasticmapreduce.amazonaws.com"}),
        Demand(
            "iam:PassRole",
            f"{prefix}/EMR_AutoScaling_DefaultRole",
            {"iam:PassedToService": "application-autoscaling.amazonaws.com"},
        ),
    ]


def test_a_profile_hands_on_the_role_that_is_in_it(demands, identities):
    identities.profiles["nodes"] = ["other"]
    (_, found) = demands("RunJobFlow", JobFlowRole="nodes")
    assert found.resource.endswith(":role/other")
    assert len(demands("RunJobFlow", JobFlowRole="empty")) == 1  # EMR itself says that it will not do
    assert len(demands("RunJobFlow", JobFlowRole="nobody")) == 1


@pytest.mark.parametrize(
    ("operation", "member"),
    [
        ("CreateStudio", "ServiceRole"),
        ("CreateStudio", "UserRole"),
        ("StartNotebookExecution", "ServiceRole"),
        ("StartSession", "ExecutionRoleArn"),
    ],
)
def test_other_operations_that_pass_a_role(operation, member, demands):
    found = demands(operation, **{member: f"arn:aws:iam::{ACCOUNT}:role/mine"})
    assert (found[-1].action, found[-1].resource) == ("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/mine")
    assert member in members(operation)


def test_a_notebook_is_run_on_a_cluster_for_an_editor(demands):
    found = demands("StartNotebookExecution", EditorId="e-1", ExecutionEngine={"Id": "j-1"})
    assert [one.resource for one in found] == [f"{PREFIX}:cluster/j-1", f"{PREFIX}:editor/e-1"]


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("EMR_EC2_DefaultRole", True),
        ("/path/EMR_EC2_DefaultRole", True),
        (f"arn:aws:iam::{ACCOUNT}:instance-profile/EMR_EC2_DefaultRole", True),
        ("nobody", False),
        ("", False),
        ("x/", False),
        ("no name \ud800", False),
        ("x" * 999, False),
    ],
)
def test_a_profile_is_found_by_name_path_or_arn_and_nonsense_is_not_there(name, there, identities):
    assert (roles.profile("", ACCOUNT, name) is not None) is there
    assert roles.exists("", ACCOUNT, name) is there
