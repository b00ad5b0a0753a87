"""A cluster's life, its steps' and its bootstrap actions': real processes, without the engines."""

from __future__ import annotations

import json
import threading
from types import SimpleNamespace

import pytest

from emrlab.emr import driver, recovery, service
from emrlab.emr.history import History
from emrlab.emr.records import Cluster, Instance, Step
from emrlab.emr.requests import request
from emrlab.emr.s3 import S3Error
from emrlab.errors import AwsError, LabError
from emrlab.nodes.node import Daemon
from emrlab.processes import owned

from .conftest import ACCOUNT, Life, step, wanted


def over(life):
    return life.state in ("TERMINATED", "TERMINATED_WITH_ERRORS")


def test_it_starts_bootstraps_and_waits(launch):
    life = launch(Tags=[{"Key": "a", "Value": "b"}])
    assert life.state in ("STARTING", "BOOTSTRAPPING", "WAITING")
    told = life.until_state("WAITING").told
    assert told["Status"]["StateChangeReason"] == {"Message": "Cluster ready to run steps."}
    assert set(told["Status"]["Timeline"]) == {"CreationDateTime", "ReadyDateTime"}
    assert told["Tags"] == [{"Key": "a", "Value": "b"}]
    assert told["ClusterArn"] == f"arn:aws:elasticmapreduce:us-east-1:{ACCOUNT}:cluster/{life.id}"
    groups = life.ask("ListInstanceGroups", ClusterId=life.id)["InstanceGroups"]
    assert [(one["InstanceGroupType"], one["RunningInstanceCount"], one["Status"]["State"]) for one in groups] == [
        ("MASTER", 1, "RUNNING"),
        ("CORE", 1, "RUNNING"),
    ]
    nodes = life.ask("ListInstances", ClusterId=life.id)["Instances"]
    assert len({one["PrivateIpAddress"] for one in nodes}) == 2
    assert told["MasterPublicDnsName"] == nodes[0]["PrivateIpAddress"]
    (core,) = life.ask("ListInstances", ClusterId=life.id, InstanceGroupTypes=["CORE"])["Instances"]
    assert core["PrivateDnsName"] == f"ip-{core['PrivateIpAddress'].replace('.', '-')}.ec2.internal"
    assert life.ask("ListInstances", ClusterId=life.id, InstanceStates=["TERMINATED"])["Instances"] == []


def test_terminated_by_request_it_is_over_with_all_it_had(launch, emr):
    life = launch(Steps=[step("long", "sleep", "100"), step("next", "true")])
    life.until(lambda one: one.step_states() == ["RUNNING", "PENDING"])
    assert life.until_state("RUNNING").reason == {"Message": "Running step"}
    life.ask("TerminateJobFlows", JobFlowIds=[life.id])
    life.until_state("TERMINATED")
    assert life.reason == {"Code": "USER_REQUEST", "Message": "Terminated by user request"}
    assert life.step_states() == ["INTERRUPTED", "CANCELLED"]
    assert list(owned(emr.home)) == []
    states = {one["Status"]["State"] for one in life.ask("ListInstances", ClusterId=life.id)["Instances"]}
    assert states == {"TERMINATED"}
    with pytest.raises(AwsError, match="shutting down, terminated, or finished may not be modified"):
        life.add(step("late", "true"))
    life.ask("TerminateJobFlows", JobFlowIds=[life.id])  # twice is harmless


def test_a_cluster_can_be_terminated_while_it_bootstraps(launch, bucket):
    bucket.objects["s3://bucket/slow.sh"] = b"sleep 100"
    life = launch(BootstrapActions=[{"Name": "slow", "ScriptBootstrapAction": {"Path": "s3://bucket/slow.sh"}}])
    life.until_state("BOOTSTRAPPING")
    life.ask("TerminateJobFlows", JobFlowIds=[life.id])
    assert life.until(over).state == "TERMINATED"


def test_a_transient_cluster_ends_after_its_last_step(launch):
    life = launch(Instances={"KeepJobFlowAliveWhenNoSteps": False}, Steps=[step("one", "true")])
    assert life.told["AutoTerminate"] is True
    assert life.until(over).state == "TERMINATED"
    assert life.reason == {"Code": "ALL_STEPS_COMPLETED", "Message": "Steps completed"}
    assert life.step_states() == ["COMPLETED"]


def test_a_transient_cluster_tells_of_failed_steps(launch):
    life = launch(Instances={"KeepJobFlowAliveWhenNoSteps": False}, Steps=[step("one", "false"), step("two", "true")])
    assert life.until(over).reason == {"Code": "STEP_FAILURE", "Message": "Steps completed with errors"}
    assert life.step_states() == ["FAILED", "COMPLETED"]


def test_keeping_alive_can_be_switched_while_it_lives(launch):
    life = launch().until_state("WAITING")
    life.ask("SetKeepJobFlowAliveWhenNoSteps", JobFlowIds=[life.id], KeepJobFlowAliveWhenNoSteps=False)
    assert life.until(over).reason["Code"] == "ALL_STEPS_COMPLETED"


def test_a_protected_cluster_is_not_terminated(launch):
    life, other = launch(Instances={"TerminationProtected": True}), launch()
    for one in (life, other):
        one.until_state("WAITING")
    with pytest.raises(AwsError, match="since they are termination protected"):
        life.ask("TerminateJobFlows", JobFlowIds=[life.id, other.id])
    assert other.until(over).state == "TERMINATED"  # the unprotected one is
    assert life.state == "WAITING"
    life.ask("SetTerminationProtection", JobFlowIds=[life.id], TerminationProtected=False)
    life.ask("TerminateJobFlows", JobFlowIds=[life.id])
    assert life.until(over).state == "TERMINATED"


# Steps


def test_steps_run_one_after_the_other_and_their_logs_are_archived(launch, bucket):
    life = launch(Steps=[step("first", "bash", "-c", "echo out; echo err >&2; pwd")]).until_state("WAITING")
    life.add(step("second", "bash", "-c", "echo $EMR_STEP_ID $HADOOP_USER_NAME"))
    life.until(lambda one: one.step_states() == ["COMPLETED", "COMPLETED"])
    first, second = life.steps()
    assert first["Status"]["Timeline"]["EndDateTime"] <= second["Status"]["Timeline"]["StartDateTime"]
    base = f"logs/{life.id}/steps/{first['Id']}"
    assert bucket.text(f"{base}/stdout").startswith("out\n/")
    assert bucket.text(f"{base}/stderr") == "err\n"
    assert "ended with exit code 0" in bucket.text(f"{base}/controller")
    assert bucket.text(f"{second['Id']}/stdout").startswith(second["Id"])
    assert life.until_state("WAITING").reason == {"Message": "Cluster ready after last step completed."}


def test_what_hadoop_logs_in_a_step_is_its_syslog(launch, bucket):
    life = launch(Steps=[step("says", "bash", "-c", "echo $HADOOP_ROOT_LOGGER > $HADOOP_LOG_DIR/$HADOOP_LOGFILE")])
    life.until(lambda one: one.step_states() == ["COMPLETED"])
    assert bucket.text(f"steps/{life.steps()[0]['Id']}/syslog") == "INFO,DRFA\n"


def test_a_failing_step_says_why_and_where(launch, bucket):
    program = "import sys\nprint('before')\nraise ValueError('no such carrier: é')"
    life = launch(Steps=[step("wrong", "python3", "-c", program)])
    life.until(lambda one: one.step_states() == ["FAILED"])
    (failed,) = life.steps()
    assert failed["Status"]["FailureDetails"] == {
        "Reason": "Unknown Error.",
        "Message": "ValueError: no such carrier: é",
        "LogFile": f"s3://bucket/logs/{life.id}/steps/{failed['Id']}/stderr.gz",
    }
    assert "ValueError" in bucket.text(f"{failed['Id']}/stderr")
    assert life.until_state("WAITING")


def test_a_command_that_is_not_there_fails_the_step(launch):
    life = launch(
        Steps=[step("none", "no-such-command"), {"Name": "x", "HadoopJarStep": {"Jar": "s3://bucket/no.jar"}}]
    )
    life.until(over)
    failed, other = (one["Status"]["FailureDetails"]["Message"] for one in life.steps())
    assert 'Cannot run program "no-such-command"' in failed
    assert "Cannot fetch s3://bucket/no.jar" in other
    assert life.reason["Code"] == "STEP_FAILURE"  # the second one's ActionOnFailure is EMR's default


def test_a_script_in_s3_runs_with_its_arguments(launch, bucket):
    bucket.objects["s3://bucket/s.sh"] = b"echo got $#: $1"
    jar = "s3://us-east-1.elasticmapreduce/libs/script-runner/script-runner.jar"
    life = launch(Steps=[{"Name": "s", "HadoopJarStep": {"Jar": jar, "Args": ["s3://bucket/s.sh", "a b"]}}])
    life.until(lambda one: one.step_states() == ["COMPLETED"])
    assert bucket.text(f"{life.steps()[0]['Id']}/stdout") == "got 1: a b\n"


@pytest.mark.parametrize(
    ("action", "states", "end"),
    [
        ("CONTINUE", ["FAILED", "COMPLETED"], "WAITING"),
        ("CANCEL_AND_WAIT", ["FAILED", "CANCELLED"], "WAITING"),
        ("TERMINATE_CLUSTER", ["FAILED", "CANCELLED"], "TERMINATED_WITH_ERRORS"),
        ("TERMINATE_JOB_FLOW", ["FAILED", "CANCELLED"], "TERMINATED_WITH_ERRORS"),
    ],
)
def test_what_follows_a_failure_is_the_steps_own_choice(launch, action, states, end):
    life = launch(Steps=[step("bad", "false", action=action), step("next", "true")])
    life.until(lambda one: one.step_states() == states).until_state(end)
    if end != "WAITING":
        assert life.reason == {"Code": "STEP_FAILURE", "Message": "Shut down as step failed"}


def test_protection_keeps_a_cluster_whose_step_wants_its_end(launch):
    life = launch(
        Instances={"TerminationProtected": True},
        Steps=[step("bad", "false", action="TERMINATE_CLUSTER"), step("next", "true")],
    )
    life.until(lambda one: one.step_states() == ["FAILED", "CANCELLED"]).until_state("WAITING")


def test_a_pending_step_is_cancelled_at_once_and_a_running_one_by_a_signal(launch):
    life = launch(Steps=[step("long", "sleep", "100"), step("next", "true")])
    life.until(lambda one: one.step_states() == ["RUNNING", "PENDING"])
    running, pending = (one["Id"] for one in life.steps())
    told = life.ask("CancelSteps", ClusterId=life.id, StepIds=[running, pending])["CancelStepsInfoList"]
    assert [one["Status"] for one in told] == ["SUBMITTED", "SUBMITTED"]
    life.until(lambda one: one.step_states() == ["CANCELLED", "CANCELLED"])
    (told,) = life.ask("CancelSteps", ClusterId=life.id, StepIds=[running])["CancelStepsInfoList"]
    assert told["Status"] == "FAILED"
    assert "CANCELLED" in told["Reason"]
    assert life.until_state("WAITING")


def test_a_step_that_ignores_the_interrupt_is_killed_with_all_its_children(launch, emr):
    stubborn = "trap '' INT; (trap '' INT; while true; do sleep 1; done) & while true; do sleep 1; done"
    life = launch(Steps=[step("stubborn", "bash", "-c", stubborn)])
    life.until(lambda one: one.step_states() == ["RUNNING"])
    (running,) = (one["Id"] for one in life.steps())
    life.until(lambda one: len(list(owned(emr.home))) >= 3)
    life.ask("CancelSteps", ClusterId=life.id, StepIds=[running])
    assert life.step_states() == ["CANCEL_PENDING"]
    life.ask("CancelSteps", ClusterId=life.id, StepIds=[running], StepCancellationOption="TERMINATE_PROCESS")
    life.until(lambda one: one.step_states() == ["CANCELLED"])
    life.until(lambda one: list(owned(emr.home)) == [])


def test_steps_run_in_parallel_up_to_the_clusters_concurrency(launch):
    life = launch(StepConcurrencyLevel=2, Steps=[step(str(number), "sleep", "100") for number in range(3)])
    life.until(lambda one: one.step_states() == ["RUNNING", "RUNNING", "PENDING"])
    first = life.steps()[0]["Id"]
    life.ask("CancelSteps", ClusterId=life.id, StepIds=[first], StepCancellationOption="TERMINATE_PROCESS")
    life.until(lambda one: one.step_states() == ["CANCELLED", "RUNNING", "RUNNING"])


# Bootstrap actions


def bootstrap(path, *arguments, name="b"):
    return {"Name": name, "ScriptBootstrapAction": {"Path": path, "Args": list(arguments)}}


def test_bootstrap_actions_run_on_every_node_in_their_order(launch, bucket, emr):
    bucket.objects["s3://bucket/b.sh"] = b'#!/bin/bash\necho "$1 on $(hostname)" >> ~/said'
    life = launch(BootstrapActions=[bootstrap("s3://bucket/b.sh", "one"), bootstrap("s3://bucket/b.sh", "two")])
    life.until_state("WAITING")
    listed = life.ask("ListBootstrapActions", ClusterId=life.id)["BootstrapActions"]
    assert [one["Args"] for one in listed] == [["one"], ["two"]]
    for node in life.ask("ListInstances", ClusterId=life.id)["Instances"]:
        folder = emr.home.clusters / life.id / node["Ec2InstanceId"]
        said = (folder / "home" / "hadoop" / "said").read_text()
        assert said == f"one on {node['PrivateDnsName']}\ntwo on {node['PrivateDnsName']}\n"
        info = json.loads((folder / "mnt/var/lib/info/instance.json").read_text())
        assert info["isMaster"] == (node["PrivateIpAddress"] == life.told["MasterPublicDnsName"])


def test_a_failing_bootstrap_action_ends_the_cluster_as_emr_says_it(launch, bucket):
    bucket.objects["s3://bucket/b.sh"] = b"#!/bin/bash\necho gone wrong >&2\nexit 3"
    life = launch(BootstrapActions=[bootstrap("s3://bucket/b.sh")], Steps=[step("never", "true")])
    assert life.until(over).state == "TERMINATED_WITH_ERRORS"
    assert life.reason["Code"] == "BOOTSTRAP_FAILURE"
    assert "bootstrap action 1 returned a non-zero return code" in life.reason["Message"]
    (detail,) = life.told["Status"]["ErrorDetails"]
    assert detail["ErrorCode"] == "BOOTSTRAP_FAILURE_PRIMARY_WITH_NON_ZERO_CODE"
    (data,) = detail["ErrorData"]
    assert data["return-code"] == "3"
    ec2 = data["primary-instance-id"]
    assert bucket.text(f"node/{ec2}/bootstrap-actions/1/stderr") == "gone wrong\n"
    assert life.step_states() == ["CANCELLED"]


def test_a_bootstrap_action_that_is_not_there_is_told_apart(launch):
    life = launch(BootstrapActions=[bootstrap("s3://bucket/none.sh")])
    life.until(over)
    assert "failed attempting to download bootstrap action 1 file from S3" in life.reason["Message"]
    assert life.told["Status"]["ErrorDetails"][0]["ErrorCode"] == "BOOTSTRAP_FAILURE_BA_DOWNLOAD_FAILED_PRIMARY"


# Faults


def test_applications_that_do_not_start_end_the_cluster_with_their_log(launch, monkeypatch):
    def fail(*_, **__):
        raise LabError("namenode ended with exit status 1")

    monkeypatch.setattr(driver, "start_up", fail)
    life = launch()
    assert life.until(over).state == "TERMINATED_WITH_ERRORS"
    assert life.reason["Code"] == "BOOTSTRAP_FAILURE"
    assert "application provisioning failed: namenode ended" in life.reason["Message"]


def test_what_cannot_be_fetched_ends_the_cluster_with_what_to_do(launch, monkeypatch):
    def fail(self):
        raise LabError("Hadoop: 91 MB are missing and there is no network. On a connected machine: emrlab fetch")

    monkeypatch.setattr(driver.Driver, "fetch", fail)
    life = launch()
    assert life.until(over).reason["Message"].endswith("emrlab fetch")


def test_a_missing_log_bucket_is_told_before_anything_starts(launch, ask):
    with pytest.raises(AwsError, match=r"bucket of LogUri .* does not exist\. Create it first: aws s3 mb s3://other"):
        launch(LogUri="s3://other/logs")
    assert ask("ListClusters")["Clusters"] == []


def test_logs_that_cannot_be_archived_do_not_fail_a_step(launch, bucket, monkeypatch):
    def refuse(uri, content):
        raise S3Error("disk full")

    monkeypatch.setattr(bucket, "put", refuse)
    life = launch(Steps=[step("one", "true")])
    life.until(lambda one: one.step_states() == ["COMPLETED"])


def test_after_a_region_that_was_killed_its_clusters_are_told_as_ended(emr, bucket, ask, monkeypatch):
    cluster, groups, (running, pending) = request.cluster(
        wanted(Steps=[step("long", "sleep", "100"), step("next", "true")]), ACCOUNT, "us-east-1"
    )
    cluster.state, running.state = "RUNNING", "RUNNING"
    node = Instance("ci-1", cluster.id, "RUNNING", groups[0].id, "i-1", "m5.xlarge")
    emr.history.add(cluster, *groups, running, pending, node)
    log = emr.home.clusters / cluster.id / "i-1" / "var" / "log" / "hadoop" / "steps" / running.id / "stderr"
    log.parent.mkdir(parents=True)
    log.write_text("so far")
    (emr.home.clusters / cluster.id / "i-1" / "mnt").mkdir()
    monkeypatch.setattr(recovery, "S3", lambda *_: bucket)
    emr.start()
    life = Life(ask, cluster.id)
    assert life.state == "TERMINATED_WITH_ERRORS"
    assert life.reason["Code"] == "INTERNAL_ERROR"
    assert "region ended while the cluster was active" in life.reason["Message"]
    assert life.step_states() == ["INTERRUPTED", "CANCELLED"]
    assert {one["Status"]["State"] for one in ask("ListInstances", ClusterId=cluster.id)["Instances"]} == {"TERMINATED"}
    life.until(lambda _: not (emr.home.clusters / cluster.id / "i-1" / "mnt").exists())
    assert bucket.text("stderr") == "so far"
    assert log.read_text() == "so far"


def test_a_stopped_service_leaves_no_process_and_says_why(launch, emr):
    life = launch(Steps=[step("long", "sleep", "100")])
    life.until(lambda one: one.step_states() == ["RUNNING"])
    emr.stop()
    assert list(owned(emr.home)) == []
    history = History(emr.home.region / "emr.sqlite")
    (cluster,) = history.in_states(Cluster, ["TERMINATED"])
    assert (cluster.id, cluster.reason) == (life.id, "The region was stopped (emrlab down).")
    assert [one.state for one in history.of(Step, life.id)] == ["INTERRUPTED"]
    history.close()


def test_a_node_whose_processes_are_gone_is_an_instance_that_is_gone(launch, emr):
    life = launch().until_state("WAITING")
    master, core = emr.drivers[life.id].machines.nodes
    for node in (master, core):
        node.start(Daemon("sleeper", ["sleep", "100"], "sleeper.log", lambda: True))
    (process,) = core.processes()
    process.kill()
    life.until(lambda one: one.ask("ListInstances", ClusterId=one.id, InstanceStates=["TERMINATED"])["Instances"] != [])
    (gone,) = life.ask("ListInstances", ClusterId=life.id, InstanceStates=["TERMINATED"])["Instances"]
    assert gone["PrivateIpAddress"] == core.address
    assert gone["Status"]["StateChangeReason"]["Code"] == "INSTANCE_FAILURE"
    assert life.state == "WAITING"


def test_without_its_master_a_cluster_ends(launch, emr):
    life = launch().until_state("WAITING")
    master, _ = emr.drivers[life.id].machines.nodes
    master.start(Daemon("namenode", ["sleep", "100"], "namenode.log", lambda: True))
    (process,) = master.processes()
    process.kill()
    assert life.until(over).state == "TERMINATED_WITH_ERRORS"
    assert life.reason == {
        "Code": "INSTANCE_FAILURE",
        "Message": "The master failed: its namenode ended with status -9.",
    }


def test_a_full_disk_is_a_clear_error_and_the_service_goes_on(launch, emr, ask):
    life = launch().until_state("WAITING")
    with emr.history.lock:
        pages = emr.history.base.execute("pragma page_count").fetchone()[0]
        emr.history.base.execute(f"pragma max_page_count = {pages}")
    many = [step("x" * 200, "true", "y" * 9000) for _ in range(50)]
    with pytest.raises(AwsError, match="Free some space on the region's disk") as refused:
        life.add(*many)
    assert (refused.value.code, refused.value.status) == ("InternalServerException", 500)
    assert life.steps() == []
    with emr.history.lock:
        emr.history.base.execute("pragma max_page_count = 1000000")
    life.add(step("one", "true"))
    life.until(lambda one: one.step_states() == ["COMPLETED"])


def test_when_everything_is_here_spark_and_archives_are_made_behind_once(place, bucket, monkeypatch):
    made: list[str] = []
    done = threading.Event()
    archive = SimpleNamespace(build=lambda: (made.append("archive"), done.set()))
    monkeypatch.setattr(service, "prepare", lambda names: made.append("prepared"))
    monkeypatch.setattr(service, "workstation", lambda *_: made.append("workstation"))
    monkeypatch.setattr(service, "archives", lambda: [archive])
    monkeypatch.setattr(service, "missing", lambda names: [])
    emr = service.EmrService(place, "http://127.0.0.1:1", ACCOUNT)
    emr.start()
    assert done.wait(10)
    emr.settle()
    assert made == ["prepared", "workstation", "archive"]
    emr.stop()


def test_while_something_is_missing_nothing_is_made(place, bucket, monkeypatch):
    monkeypatch.setattr(service, "missing", lambda names: ["a jar"])
    emr = service.EmrService(place, "http://127.0.0.1:1", ACCOUNT)
    emr.start()
    assert emr._settled is False
    emr.stop()


def test_a_chore_that_fails_leaves_the_cluster_alone(launch, monkeypatch, caplog):
    asked = []

    def fails(driver):
        asked.append(driver)
        raise ValueError("not today")

    monkeypatch.setattr(driver, "CHORES", [fails])
    life = launch().until_state("WAITING")
    life.until(lambda _: len(asked) > 3)
    assert life.state == "WAITING"
    assert caplog.text.count("ValueError: not today") == 1


def test_applications_that_are_fetched_while_the_region_runs_are_made_ready_then(emr, monkeypatch):
    lacking, settled = ["a jar"], threading.Event()
    monkeypatch.setattr(service, "missing", lambda names: lacking)
    monkeypatch.setattr(service, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(service.EmrService, "settle", lambda self: (settled.set(), setattr(self, "_settled", True)))
    emr.start()
    assert not settled.wait(0.1)
    lacking.clear()
    assert settled.wait(10)
