"""Notebook executions: start, describe, list, stop."""

from __future__ import annotations

import json
import time
from typing import Any

from .. import errors, ids
from ..account import Studio
from ..interactive import notebooks
from ..interactive.notebook_run import NotebookRun
from ..interactive.notebooks import NotebookExecution
from ..paging import marker, place
from ..registry import Call, operation
from ..requests import request
from ..s3 import S3
from .tags import TAGGED

PAGE = 50
MOST = 100  # at a time in a region and account ("Limitations with programmatic execution")
DAYS = 30  # that ListNotebookExecutions looks back by itself
READY = ("RUNNING", "WAITING")
TOLD = ("ExecutionEngine", "NotebookInstanceSecurityGroupId", "NotebookS3Location", "OutputNotebookS3Location")
TAGGED["ex-"] = NotebookExecution


@operation("StartNotebookExecution")
def start_notebook_execution(call: Call, params: dict[str, Any]) -> dict[str, Any]:
    engine = params["ExecutionEngine"]
    if engine.get("ExecutionRoleArn"):
        raise errors.not_built("A runtime role for notebooks (ExecutionEngine.ExecutionRoleArn), which EMR has,")
    cluster = call.cluster(engine["Id"])
    driver = call.service.drivers.get(cluster.id)
    if cluster.state not in READY or driver is None:
        raise errors.invalid(
            f"Cluster {cluster.id} is in state {cluster.state}: a notebook runs on one that is RUNNING or WAITING."
        )
    check_parameters(params.get("NotebookParams", ""))
    execution_id = ids.made("ex", 29)
    source, output = places(call, driver.s3, params, execution_id)
    record = NotebookExecution(
        id=execution_id,
        cluster=cluster.id,
        state="START_PENDING",
        account=call.context.account,
        region=call.context.region,
        notebook=source,
        output=output,
        name=params.get("NotebookExecutionName", ""),
        editor=params.get("EditorId", ""),
        parameters=params.get("NotebookParams", ""),
        variables=params.get("EnvironmentVariables") or {},
        html=params.get("OutputNotebookFormat") == "HTML",
        told={name: params[name] for name in TOLD if params.get(name)},
        tags=request.tags(params.get("Tags") or []),
    )
    record.told["ExecutionEngine"] = {"Type": "EMR", **engine}
    record.reason = record.say("is pending")
    history = call.service.history
    with history.transaction():
        if len(active(call)) >= MOST:
            raise errors.invalid(f"A maximum of {MOST} concurrent notebook executions are supported per Region.")
        history.add(record)
    call.service.beside.start(NotebookRun(call.service, record, driver.machines.master, driver.s3))
    return {"NotebookExecutionId": record.id}


def check_parameters(text: str) -> None:
    """NotebookParams are a JSON object whose names are Python's."""
    try:
        given = json.loads(text) if text.strip() else {}
    except ValueError as error:
        raise errors.invalid(f"NotebookParams is not valid JSON: {error}") from error
    if not isinstance(given, dict):
        raise errors.invalid("NotebookParams must be a JSON object: parameter names and values.")
    if wrong := [name for name in given if not name.isidentifier()]:
        raise errors.invalid(f"NotebookParams: '{wrong[0]}' cannot be the name of a parameter.")


def places(call: Call, s3: S3, params: dict[str, Any], execution_id: str) -> tuple[str, str]:
    """Where the notebook is in S3, and where its executed copy goes."""
    editor, path = params.get("EditorId", ""), params.get("RelativePath", "")
    given, wanted = params.get("NotebookS3Location") or {}, params.get("OutputNotebookS3Location") or {}
    if given and (editor or path):
        raise errors.invalid("NotebookS3Location and EditorId with RelativePath exclude each other. Give one of them.")
    if given:
        if not wanted:
            raise errors.invalid("OutputNotebookS3Location is required with NotebookS3Location.")
        source, base = location(given, "NotebookS3Location"), ""
    elif editor and path:
        base = workspace(call, s3, editor, path)
        source = f"{base}/{path}"
    else:
        raise errors.invalid("Specify the notebook: EditorId and RelativePath, or NotebookS3Location.")
    output = location(wanted, "OutputNotebookS3Location").rstrip("/") if wanted else f"{base}/executions"
    name = source.rpartition("/")[2]
    if params.get("OutputNotebookFormat") == "HTML":
        name = f"{name.removesuffix('.ipynb')}.html"
    return source, f"{output}/{execution_id}/{name}"


def location(given: dict[str, str], name: str) -> str:
    if not given.get("Bucket") or not given.get("Key"):
        raise errors.invalid(f"{name} needs Bucket and Key.")
    return f"s3://{given['Bucket']}/{given['Key'].lstrip('/')}"


def workspace(call: Call, s3: S3, editor: str, path: str) -> str:
    """The folder in S3 of a Workspace: below the default location of one of the account's Studios."""
    for studio in studios(call):
        base = f"{str(studio).rstrip('/')}/{editor}"
        if s3.exists(f"{base}/{path}"):
            return base
    raise errors.invalid(f"EditorId '{editor}' is not valid: no Studio's default location in S3 has {editor}/{path}.")


def studios(call: Call) -> list[str]:
    """Where the caller's Studios keep their Workspaces."""
    found = call.service.history.in_states(Studio, ["ACTIVE"])
    return [one.settings.get("DefaultS3Location", "") for one in found if call.owns(one)]


def mine(call: Call, execution_id: str) -> NotebookExecution:
    found = call.service.history.get(NotebookExecution, execution_id)
    if found is None or (found.account, found.region) != (call.context.account, call.context.region):
        raise errors.invalid(f"Notebook execution id '{execution_id}' is not valid.")
    return found


def select(call: Call, conditions: list[str], values: list[object], end: str = "") -> list[NotebookExecution]:
    where = ["json_extract(body, '$.account') = ?", "json_extract(body, '$.region') = ?", *conditions]
    known: list[object] = [call.context.account, call.context.region]
    return call.service.history.select(NotebookExecution, f"{' and '.join(where)} {end}", known + values)


def active(call: Call) -> list[NotebookExecution]:
    marks = ", ".join("?" * len(notebooks.ACTIVE))
    return select(call, [f"state in ({marks})"], list(notebooks.ACTIVE))


@operation("DescribeNotebookExecution")
def describe_notebook_execution(call: Call, params: dict[str, Any]) -> dict[str, Any]:
    return {"NotebookExecution": notebooks.execution(mine(call, params["NotebookExecutionId"]))}


@operation("ListNotebookExecutions")
def list_notebook_executions(call: Call, params: dict[str, Any]) -> dict[str, Any]:
    """Newest first, of the last 30 days unless ``From`` says otherwise."""
    since = params["From"].timestamp() if params.get("From") else time.time() - DAYS * 24 * 3600
    conditions, values = ["created >= ?"], [since]
    if params.get("To"):
        conditions.append("created <= ?")
        values.append(params["To"].timestamp())
    for name, column in (
        ("Status", "state"),
        ("ExecutionEngineId", "cluster"),
        ("EditorId", "json_extract(body, '$.editor')"),
    ):
        if params.get(name):
            conditions.append(f"{column} = ?")
            values.append(params[name])
    if params.get("Marker"):
        conditions.append("number < (select number from records where id = ?)")
        values.append(place(params["Marker"]))
    found = select(call, conditions, values, f"order by number desc limit {PAGE + 1}")
    page = found[:PAGE]
    more = {"Marker": marker(page[-1].id)} if len(found) > PAGE else {}
    return {"NotebookExecutions": [notebooks.summary(one) for one in page], **more}


@operation("StopNotebookExecution")
def stop_notebook_execution(call: Call, params: dict[str, Any]) -> None:
    record = mine(call, params["NotebookExecutionId"])
    with call.service.history.changing(NotebookExecution, record.id) as now:
        if "STOP_PENDING" not in now.LIFE[now.state]:
            raise errors.invalid(f"Notebook execution {now.id} is {now.state} and cannot be stopped.")
        now.move("STOP_PENDING", now.say("is pending to stop"))
    worker = call.service.beside.get(record.id)
    if isinstance(worker, NotebookRun):
        worker.stop()
