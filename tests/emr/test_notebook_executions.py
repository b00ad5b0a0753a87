"""Notebook executions: real kernels on a node, without the engines."""

from __future__ import annotations

import json
import time

import nbformat
import pytest

from emrlab.emr import recovery
from emrlab.emr.account import Studio
from emrlab.emr.history import History
from emrlab.emr.interactive import notebook_process
from emrlab.emr.interactive.notebooks import ACTIVE, NotebookExecution
from emrlab.emr.service import EmrService
from emrlab.errors import AwsError
from emrlab.processes import owned

from .conftest import ACCOUNT

ROLE = "EMR_Notebooks_DefaultRole"


def notebook(*cells: str, kernel: str = "python3", parameters: str = "") -> bytes:
    made = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": kernel, "display_name": kernel}})
    if parameters:
        made.cells.append(nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}))
    made.cells += [nbformat.v4.new_code_cell(one) for one in cells]
    return nbformat.writes(made).encode()


def said(content: bytes) -> str:
    """All that the cells of an executed notebook have printed."""
    cells = nbformat.reads(content.decode(), as_version=4).cells
    return "".join(out.get("text", "") for cell in cells for out in cell.get("outputs", []))


@pytest.fixture
def life(launch):
    return launch().until_state("WAITING")


@pytest.fixture
def start(ask, life, bucket):
    """Start an execution of a notebook with these cells. ``more``: parameters of the call."""

    def start(*cells: str, kernel: str = "python3", parameters: str = "", **more):
        bucket.objects["s3://bucket/in/work.ipynb"] = notebook(*cells, kernel=kernel, parameters=parameters)
        wanted = {
            "NotebookS3Location": {"Bucket": "bucket", "Key": "in/work.ipynb"},
            "OutputNotebookS3Location": {"Bucket": "bucket", "Key": "out"},
            "ExecutionEngine": {"Id": life.id},
            "ServiceRole": ROLE,
            **more,
        }
        return ask("StartNotebookExecution", **wanted)["NotebookExecutionId"]

    return start


@pytest.fixture
def until(ask):
    def until(execution_id: str, *states: str, seconds: float = 60):
        deadline = time.monotonic() + seconds
        while True:
            told = ask("DescribeNotebookExecution", NotebookExecutionId=execution_id)["NotebookExecution"]
            if told["Status"] in states:
                return told
            assert time.monotonic() < deadline, told
            assert told["Status"] in ACTIVE, told
            time.sleep(0.02)

    return until


def test_a_notebook_runs_on_the_master_node_with_its_parameters_and_environment(ask, life, start, until, bucket, emr):
    states = []
    emr.history.watchers.append(lambda now, _: states.append(now.state) if isinstance(now, NotebookExecution) else None)
    execution = start(
        "import os\nprint(word, times, deep, *(os.environ[n] for n in ('EMR_CLUSTER_ID', 'COLOUR', 'HOSTNAME')))",
        parameters="word = 'none'\ntimes = 1\ndeep = None",
        NotebookParams=json.dumps({"word": "é'\"", "times": 3, "deep": {"a": [True, None, 1.5]}}),
        EnvironmentVariables={"COLOUR": "blue"},
        NotebookExecutionName="first",
        NotebookInstanceSecurityGroupId="sg-1",
        Tags=[{"Key": "team", "Value": "data"}],
    )
    told = until(execution, "FINISHED")
    uri = f"s3://bucket/out/{execution}/work.ipynb"
    (node,) = [
        one
        for one in ask("ListInstances", ClusterId=life.id)["Instances"]
        if one["PublicIpAddress"] == life.told["MasterPublicDnsName"]
    ]
    assert said(bucket.objects[uri]) == (f"é'\" 3 {{'a': [True, None, 1.5]}} {life.id} blue {node['PrivateDnsName']}\n")
    cells = nbformat.reads(bucket.objects[uri].decode(), as_version=4).cells
    assert [cell.metadata.get("tags") for cell in cells] == [["parameters"], ["injected-parameters"], None]
    assert {name: told[name] for name in told if name not in ("StartTime", "EndTime", "NotebookParams")} == {
        "NotebookExecutionId": execution,
        "EditorId": None,
        "NotebookExecutionName": "first",
        "Status": "FINISHED",
        "ExecutionEngine": {"Type": "EMR", "Id": life.id},
        "NotebookInstanceSecurityGroupId": "sg-1",
        "NotebookS3Location": {"Bucket": "bucket", "Key": "in/work.ipynb"},
        "OutputNotebookS3Location": {"Bucket": "bucket", "Key": "out"},
        "Arn": f"arn:aws:elasticmapreduce:us-east-1:{ACCOUNT}:notebook-execution/{execution}",
        "OutputNotebookURI": uri,
        "LastStateChangeReason": f"Execution is finished for cluster {life.id}.",
        "OutputNotebookFormat": None,
        "EnvironmentVariables": {"COLOUR": "blue"},
        "Tags": [{"Key": "team", "Value": "data"}],
    }
    assert told["EndTime"] > told["StartTime"]
    assert list(dict.fromkeys(states)) == ["START_PENDING", "STARTING", "RUNNING", "FINISHING", "FINISHED"]


def test_a_failing_cell_fails_it_and_the_copy_shows_where(start, until, bucket, life):
    execution = start("print('before')", "raise ValueError('no such carrier: é')", "print('never')")
    told = until(execution, "FAILED")
    assert told["LastStateChangeReason"] == (
        f"Execution has failed for cluster {life.id}. ValueError: no such carrier: é"
    )
    content = bucket.objects[told["OutputNotebookURI"]]
    assert said(content) == "before\n"
    assert b"no such carrier" in content


def test_it_is_stopped_with_all_that_its_kernel_has_started(ask, start, until, bucket, emr):
    execution = start(
        "print('one')",
        "import subprocess\nsubprocess.run(['bash', '-c', \"trap '' TERM; sleep 1000 & touch begun; wait\"])",
        "print('never')",
    )
    until(execution, "RUNNING")
    (place,) = emr.home.clusters.glob(f"j-*/i-*/mnt/var/lib/notebooks/{execution}")
    while not (place / "begun").exists():
        time.sleep(0.02)
    ask("StopNotebookExecution", NotebookExecutionId=execution)
    told = until(execution, "STOPPED")
    assert said(bucket.objects[told["OutputNotebookURI"]]) == "one\n"
    assert list(owned(emr.home)) == []
    with pytest.raises(AwsError, match="is STOPPED and cannot be stopped"):
        ask("StopNotebookExecution", NotebookExecutionId=execution)


def test_the_cluster_s_end_fails_it(ask, start, until, life):
    execution = start("import time\ntime.sleep(1000)")
    until(execution, "RUNNING")
    ask("TerminateJobFlows", JobFlowIds=[life.id])
    told = until(execution, "FAILED")
    assert told["LastStateChangeReason"] == f"Execution has failed for cluster {life.id}. The cluster was terminated."


def test_a_kernel_that_is_not_there_is_named(start, until):
    told = until(start("1", kernel="pysparkkernel"), "FAILED")
    assert "There is no kernel named pysparkkernel on this cluster" in told["LastStateChangeReason"]


def test_what_is_no_notebook_or_not_there_fails_it(ask, start, until, bucket, life):
    execution = start("1")
    until(execution, "FINISHED")
    bucket.objects["s3://bucket/in/bad.ipynb"] = b"no notebook"
    for key, said in (("in/bad.ipynb", "cannot be read"), ("in/none.ipynb", "Not Found")):
        execution = start("1", NotebookS3Location={"Bucket": "bucket", "Key": key})
        assert said in until(execution, "FAILED")["LastStateChangeReason"]


def test_output_as_html(start, until, bucket):
    told = until(start("print(6 * 7)", OutputNotebookFormat="HTML"), "FINISHED")
    assert told["OutputNotebookURI"].endswith("/work.html")
    assert b"<html" in bucket.objects[told["OutputNotebookURI"]]
    assert b"42" in bucket.objects[told["OutputNotebookURI"]]


def test_a_workspace_s_notebook_lies_below_a_studio_s_place(ask, emr, start, until, bucket, life):
    for number, place in enumerate(("s3://bucket/other", "s3://bucket/studio/")):
        settings = {"DefaultS3Location": place}
        emr.history.add(Studio(f"es-{number}", "", "ACTIVE", ACCOUNT, "us-east-1", "s", "IAM", "vpc-1", [], settings))
    bucket.objects["s3://bucket/studio/e-WORK/deep/a.ipynb"] = notebook("print('from a Workspace')")
    asked = {"NotebookS3Location": {}, "OutputNotebookS3Location": {}, "EditorId": "e-WORK"}
    execution = start("1", RelativePath="deep/a.ipynb", **asked)
    told = until(execution, "FINISHED")
    assert told["OutputNotebookURI"] == f"s3://bucket/studio/e-WORK/executions/{execution}/a.ipynb"
    assert told["EditorId"] == "e-WORK"
    assert said(bucket.objects[told["OutputNotebookURI"]]) == "from a Workspace\n"
    with pytest.raises(AwsError, match="EditorId 'e-WORK' is not valid"):
        start("1", RelativePath="b.ipynb", **asked)
    (listed,) = ask("ListNotebookExecutions", EditorId="e-WORK")["NotebookExecutions"]
    assert listed["NotebookExecutionId"] == execution


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"ExecutionEngine": {"Id": "j-NONE"}}, "Cluster id 'j-NONE' is not valid"),
        ({"NotebookParams": "{"}, "NotebookParams is not valid JSON"),
        ({"NotebookParams": "[1]"}, "must be a JSON object"),
        ({"NotebookParams": '{"a b": 1}'}, "'a b' cannot be the name"),
        ({"NotebookS3Location": {}}, "Specify the notebook"),
        ({"OutputNotebookS3Location": {}}, "OutputNotebookS3Location is required"),
        ({"EditorId": "e-1", "RelativePath": "a"}, "exclude each other"),
        ({"NotebookS3Location": {"Bucket": "bucket"}}, "needs Bucket and Key"),
    ],
)
def test_what_cannot_start_is_refused_and_leaves_nothing(ask, start, more, message):
    with pytest.raises(AwsError, match=message) as refused:
        start("1", **more)
    assert refused.value.code == "InvalidRequestException"
    assert ask("ListNotebookExecutions")["NotebookExecutions"] == []


def test_a_cluster_that_has_ended_takes_none(ask, start, life):
    ask("TerminateJobFlows", JobFlowIds=[life.id])
    life.until_state("TERMINATED")
    with pytest.raises(AwsError, match="is in state TERMINATED"):
        start("1")


def test_a_runtime_role_is_refused_as_not_built(start, life):
    role = "arn:aws:iam::123456789012:role/run"
    with pytest.raises(AwsError, match="not emulated"):
        start("1", ExecutionEngine={"Id": life.id, "ExecutionRoleArn": role})


def record(number: int, **more) -> NotebookExecution:
    made = {
        "account": ACCOUNT,
        "region": "us-east-1",
        "notebook": "s3://b/a",
        "output": "s3://b/o",
        "state": "FINISHED",
    }
    return NotebookExecution(id=f"ex-{number}", cluster="j-1", **{**made, **more})


def test_a_list_is_newest_first_in_pages_and_filtered(ask, emr):
    now = time.time()
    emr.history.add(*(record(number, created=now - 1000 + number) for number in range(60)))
    emr.history.add(record(98, account="999999999999"), record(99, state="FAILED", created=now - 40 * 24 * 3600))
    first = ask("ListNotebookExecutions")
    assert [one["NotebookExecutionId"] for one in first["NotebookExecutions"]] == [f"ex-{n}" for n in range(59, 9, -1)]
    rest = ask("ListNotebookExecutions", Marker=first["Marker"])
    assert [one["NotebookExecutionId"] for one in rest["NotebookExecutions"]] == [f"ex-{n}" for n in range(9, -1, -1)]
    assert "Marker" not in rest
    assert ask("ListNotebookExecutions", Status="FAILED")["NotebookExecutions"] == []  # too long ago
    assert len(ask("ListNotebookExecutions", ExecutionEngineId="j-1")["NotebookExecutions"]) == 50
    assert ask("ListNotebookExecutions", ExecutionEngineId="j-2")["NotebookExecutions"] == []
    with pytest.raises(AwsError, match="not valid"):
        ask("DescribeNotebookExecution", NotebookExecutionId="ex-98")
    assert ask("DescribeNotebookExecution", "999999999999", NotebookExecutionId="ex-98")["NotebookExecution"]


def test_no_more_than_a_hundred_at_a_time(emr, start):
    emr.history.add(*(record(number, state="RUNNING") for number in range(100)))
    with pytest.raises(AwsError, match="maximum of 100 concurrent"):
        start("1")


def test_tags_come_and_go(ask, emr):
    emr.history.add(record(1))
    ask("AddTags", ResourceId="ex-1", Tags=[{"Key": "a", "Value": "b"}, {"Key": "c", "Value": "d"}])
    ask("RemoveTags", ResourceId="ex-1", TagKeys=["a"])
    told = ask("DescribeNotebookExecution", NotebookExecutionId="ex-1")["NotebookExecution"]
    assert told["Tags"] == [{"Key": "c", "Value": "d"}]
    with pytest.raises(AwsError, match="'ex-2' is not valid"):
        ask("AddTags", ResourceId="ex-2", Tags=[])


def test_after_a_killed_region_it_has_failed(place):
    before = History(place.region / "emr.sqlite")
    before.add(*(record(number, state=state) for number, state in enumerate(ACTIVE)))
    before.close()
    service = EmrService(place, "http://127.0.0.1:1", ACCOUNT)
    recovery.recover(service)
    found = service.history.select(NotebookExecution, "1 = 1", [])
    assert {one.state for one in found} == {"FAILED"}
    assert "The region ended" in found[0].reason
    service.stop()


def test_parameters_go_behind_the_tagged_cell_and_replace_those_of_an_earlier_execution():
    made = nbformat.reads(notebook("a", "b", parameters="x = 1").decode(), as_version=4)
    for value in (2, float("inf")):
        notebook_process.inject(made, {"x": value})
    assert [cell.source for cell in made.cells] == ["x = 1", "# Parameters\nx = float('inf')\n", "a", "b"]
    plain = nbformat.reads(notebook("a").decode(), as_version=4)
    notebook_process.inject(plain, {"y": "s"})
    assert [cell.source for cell in plain.cells] == ["# Parameters\ny = 's'\n", "a"]
    nbformat.validate(plain)


def test_a_region_that_stops_leaves_no_execution_open(emr, start, until):
    execution = start("import time\ntime.sleep(1000)")
    until(execution, "RUNNING")
    emr.beside.stop(20)
    assert until(execution, "FAILED")
