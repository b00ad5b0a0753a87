"""What of a cluster can be changed while it runs, and clusters as DescribeJobFlows tells them."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from emrlab.emr.operations import job_flows
from emrlab.emr.records import Group, Instance, Step
from emrlab.errors import AwsError

from .conftest import step
from .test_operations import record

DAY = 24 * 3600


def test_visibility_and_replacement_are_told_as_they_were_set(launch, ask):
    life = launch()
    assert (life.told["VisibleToAllUsers"], life.told["UnhealthyNodeReplacement"]) == (True, True)
    ask("SetVisibleToAllUsers", JobFlowIds=[life.id], VisibleToAllUsers=False)
    ask("SetUnhealthyNodeReplacement", JobFlowIds=[life.id], UnhealthyNodeReplacement=False)
    assert (life.told["VisibleToAllUsers"], life.told["UnhealthyNodeReplacement"]) == (False, False)
    other = launch(VisibleToAllUsers=False, Instances={"UnhealthyNodeReplacement": False})
    assert (other.told["VisibleToAllUsers"], other.told["UnhealthyNodeReplacement"]) == (False, False)


@pytest.mark.parametrize(
    ("operation", "value"), [("SetVisibleToAllUsers", "VisibleToAllUsers"),
                             ("SetUnhealthyNodeReplacement", "UnhealthyNodeReplacement")]
)  # fmt: skip
def test_an_attribute_is_set_for_all_clusters_or_none(ask, emr, operation, value):
    emr.history.add(record(1, state="WAITING"), record(2))
    for second, said in (("j-002", "may not be modified"), ("j-none", "job flow ID not valid")):
        with pytest.raises(AwsError, match=said) as refused:
            ask(operation, JobFlowIds=["j-001", second], **{value: False})
        assert refused.value.code == "ValidationException"
    assert ask("DescribeCluster", ClusterId="j-001")["Cluster"][value] is True


def test_more_steps_run_at_a_time_as_soon_as_the_cluster_may(launch, ask, tmp_path):
    gate = tmp_path / "gate"
    wait = f"while [ ! -e {gate} ]; do sleep 0.05; done"
    life = launch(Steps=[step("a", "bash", "-c", wait), step("b", "bash", "-c", wait)])
    life.until(lambda one: one.step_states() == ["RUNNING", "PENDING"])
    told = ask("ModifyCluster", ClusterId=life.id, StepConcurrencyLevel=2)
    assert told == {"StepConcurrencyLevel": 2, "ExtendedSupport": False}
    life.until(lambda one: one.step_states() == ["RUNNING", "RUNNING"])
    gate.touch()
    life.until(lambda one: one.step_states() == ["COMPLETED", "COMPLETED"])
    assert life.told["StepConcurrencyLevel"] == 2


def test_a_cluster_is_modified_within_its_limits_and_while_it_lives(ask, emr):
    emr.history.add(record(1, state="WAITING"), record(2))
    for level in (0, 257):
        with pytest.raises(AwsError, match="from 1 to 256"):
            ask("ModifyCluster", ClusterId="j-001", StepConcurrencyLevel=level)
    with pytest.raises(AwsError, match="'j-002' is TERMINATED") as refused:
        ask("ModifyCluster", ClusterId="j-002", StepConcurrencyLevel=2)
    assert refused.value.code == "InvalidRequestException"
    ask("ModifyCluster", ClusterId="j-001", ExtendedSupport=True)
    told = ask("DescribeCluster", ClusterId="j-001")["Cluster"]
    assert (told["StepConcurrencyLevel"], told["ExtendedSupport"]) == (1, True)


def test_no_cluster_has_runtime_roles_so_none_has_their_credentials(ask, emr):
    emr.history.add(record(1, state="WAITING"))
    role = "arn:aws:iam::123456789012:role/a"
    with pytest.raises(AwsError, match="Runtime roles are not supported on this cluster") as refused:
        ask("GetClusterSessionCredentials", ClusterId="j-001", ExecutionRoleArn=role)
    assert refused.value.code == "InvalidRequestException"
    with pytest.raises(AwsError, match="Cluster id 'j-none' is not valid"):
        ask("GetClusterSessionCredentials", ClusterId="j-none")


# DescribeJobFlows


def moment(seconds):
    return datetime.fromtimestamp(seconds, UTC)


def names(answer):
    return [one["Name"] for one in answer["JobFlows"]]


def test_a_job_flow_is_the_cluster_in_older_words(launch, ask, tmp_path):
    (tmp_path / "script").write_text("true\n")
    script = {"Name": "b", "ScriptBootstrapAction": {"Path": f"file://{tmp_path}/script", "Args": ["x"]}}
    life = launch(
        Steps=[step("good", "true")],
        BootstrapActions=[script],
        Instances={"TerminationProtected": True, "InstanceCount": 3},
    ).until_state("WAITING")
    life.until(lambda one: one.step_states() == ["COMPLETED"])
    life.until_state("WAITING")
    (told,) = ask("DescribeJobFlows", JobFlowIds=[life.id])["JobFlows"]
    status = told["ExecutionStatusDetail"]
    assert (told["JobFlowId"], told["LogUri"], status["State"]) == (life.id, "s3://bucket/logs/", "WAITING")
    assert status["CreationDateTime"] <= status["ReadyDateTime"]
    (one,) = told["Steps"]
    assert one["StepConfig"]["HadoopJarStep"] == {
        "Properties": [],
        "Jar": "command-runner.jar",
        "MainClass": None,
        "Args": ["true"],
    }
    assert one["ExecutionStatusDetail"]["State"] == "COMPLETED"
    assert told["BootstrapActions"] == [{"BootstrapActionConfig": script}]
    instances = told["Instances"]
    assert instances["InstanceCount"] == 3
    assert (instances["KeepJobFlowAliveWhenNoSteps"], instances["TerminationProtected"]) == (True, True)
    master = ask("ListInstances", ClusterId=life.id, InstanceGroupTypes=["MASTER"])["Instances"][0]
    assert instances["MasterInstanceId"] == master["Ec2InstanceId"]
    counts = {one["InstanceRole"]: one["InstanceRunningCount"] for one in instances["InstanceGroups"]}
    assert counts == {"MASTER": 1, "CORE": 2}


@pytest.mark.parametrize(
    ("state", "code", "told"),
    [
        ("STARTING", "", "STARTING"),
        ("TERMINATING", "", "SHUTTING_DOWN"),
        ("TERMINATED", "ALL_STEPS_COMPLETED", "COMPLETED"),
        ("TERMINATED", "USER_REQUEST", "TERMINATED"),
        ("TERMINATED_WITH_ERRORS", "STEP_FAILURE", "FAILED"),
    ],
)
def test_a_state_has_its_older_name(ask, emr, state, code, told):
    emr.history.add(record(1, state=state, reason_code=code, created=time.time()))
    (one,) = ask("DescribeJobFlows")["JobFlows"]
    assert one["ExecutionStatusDetail"]["State"] == told
    assert names(ask("DescribeJobFlows", JobFlowStates=[told])) == ["c1"]
    other = "WAITING" if told != "WAITING" else "RUNNING"
    assert names(ask("DescribeJobFlows", JobFlowStates=[other])) == []


def test_a_step_that_is_being_cancelled_still_runs(ask, emr):
    emr.history.add(record(1, created=time.time()), Step("s-1", "j-001", "CANCEL_PENDING", "n", "x.jar"))
    (told,) = ask("DescribeJobFlows")["JobFlows"]
    assert told["Steps"][0]["ExecutionStatusDetail"]["State"] == "RUNNING"


def test_what_is_older_than_two_months_is_not_told_and_idle_ones_only_for_two_weeks(ask, emr):
    now = time.time()
    emr.history.add(
        record(1, state="WAITING", created=now - 70 * DAY),
        record(2, state="WAITING", created=now - 50 * DAY),
        record(3, created=now - 50 * DAY),
        record(4, created=now - 3 * DAY),
        record(5, account="210987654321", created=now),
    )
    assert names(ask("DescribeJobFlows")) == ["c4", "c2"]
    assert names(ask("DescribeJobFlows", JobFlowIds=["j-001", "j-003", "j-004", "j-none"])) == ["c4", "c3"]
    assert names(ask("DescribeJobFlows", CreatedAfter=moment(now - 60 * DAY))) == ["c4", "c3", "c2"]
    assert names(ask("DescribeJobFlows", CreatedBefore=moment(now - 10 * DAY))) == ["c3", "c2"]
    assert names(ask("DescribeJobFlows", JobFlowStates=["TERMINATED"], CreatedBefore=moment(now - 10 * DAY))) == ["c3"]
    assert names(ask("DescribeJobFlows", JobFlowIds=["x"] * 100_000)) == []


def test_512_job_flows_are_told_at_most(ask, emr, monkeypatch):
    monkeypatch.setattr(job_flows, "MOST", 2)
    emr.history.add(*(record(number, created=time.time()) for number in range(3)))
    assert names(ask("DescribeJobFlows")) == ["c2", "c1"]


def test_a_job_flow_whose_nodes_are_gone_tells_what_they_were(ask, emr):
    emr.history.add(
        record(1, created=time.time(), ec2={"IamInstanceProfile": "profile"}, settings={"ServiceRole": "role"}),
        Group("ig-1", "j-001", "TERMINATED", "m", "MASTER", "m5.xlarge", 1),
        Instance("ci-1", "j-001", "TERMINATED", "ig-1", "i-1", "m5.xlarge", ended=time.time()),
    )
    (told,) = ask("DescribeJobFlows")["JobFlows"]
    assert (told["JobFlowRole"], told["ServiceRole"]) == ("profile", "role")
    instances = told["Instances"]
    assert (instances["MasterInstanceType"], instances["SlaveInstanceType"]) == ("m5.xlarge", "m5.xlarge")
    assert instances["MasterInstanceId"] == "i-1"
