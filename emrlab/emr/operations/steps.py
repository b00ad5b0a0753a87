"""Steps: add, describe, list, cancel."""

from __future__ import annotations

from typing import Any

from .. import errors, shapes, states
from ..paging import page
from ..records import Cluster, Step
from ..registry import Call, operation
from ..requests import request

PAGE = 50
IDS = 10


@operation("AddJobFlowSteps")
def add_job_flow_steps(call: Call, params: dict[str, Any]) -> dict[str, Any]:
    cluster = call.job_flow(params["JobFlowId"])
    if params.get("ExecutionRoleArn"):
        raise errors.not_built("A runtime role for steps (ExecutionRoleArn), which EMR has,")
    new = request.steps(cluster.id, params["Steps"], cluster.step_concurrency)
    history = call.service.history
    with history.transaction():  # the cluster may be about to end
        if call.job_flow(cluster.id).state not in states.OPEN:
            raise errors.ended()
        request.check_count(len(new), len(history.of(Step, cluster.id, states.STEP_ACTIVE)))
        history.add(*new)
    call.service.wake(cluster.id)
    return {"StepIds": [one.id for one in new]}


def step_of(call: Call, cluster_id: str, step_id: str) -> Step:
    found = call.service.history.get(Step, step_id)
    if found is None or found.cluster != cluster_id:
        raise errors.invalid(f"Step id '{step_id}' is not valid.")
    return found


@operation("DescribeStep")
def describe_step(call: Call, params: dict[str, Any]) -> dict[str, Any]:
    cluster = call.cluster(params["ClusterId"])
    return {"Step": shapes.step(step_of(call, cluster.id, params["StepId"]))}


@operation("ListSteps")
def list_steps(call: Call, params: dict[str, Any]) -> dict[str, Any]:
    """Newest first."""
    cluster = call.cluster(params["ClusterId"])
    wanted = params.get("StepIds") or []
    if wanted and params.get("StepStates"):
        raise errors.invalid("StepIds and StepStates exclude each other. Give one of them.")
    if len(wanted) > IDS:
        raise errors.invalid(f"StepIds takes {IDS} ids at most.")
    for step_id in wanted:
        step_of(call, cluster.id, step_id)
    found = call.service.history.of(Step, cluster.id, params.get("StepStates") or ())
    found = [one for one in reversed(found) if not wanted or one.id in wanted]
    items, more = page(found, params, PAGE)
    return {"Steps": [shapes.step(one) for one in items], **more}


@operation("CancelSteps")
def cancel_steps(call: Call, params: dict[str, Any]) -> dict[str, Any]:
    """A PENDING step is cancelled at once, a RUNNING one is sent a signal ("Cancel steps")."""
    cluster = call.cluster(params["ClusterId"])
    if cluster.state not in states.OPEN:
        raise errors.ended()
    kill = params.get("StepCancellationOption") == "TERMINATE_PROCESS"
    return {"CancelStepsInfoList": [cancel(call, cluster, step_id, kill) for step_id in params["StepIds"]]}


def cancel(call: Call, cluster: Cluster, step_id: str, kill: bool) -> dict[str, str]:
    step_of(call, cluster.id, step_id)
    with call.service.history.changing(Step, step_id) as step:
        if step.over:
            reason = f"Step is {step.state}: only a pending or running step can be cancelled."
            return {"StepId": step_id, "Status": "FAILED", "Reason": reason}
        if step.state == "PENDING":
            step.move("CANCELLED", "Cancelled by user request")
        elif step.state == "RUNNING":
            step.move("CANCEL_PENDING", "Cancelled by user request")
    if driver := call.service.drivers.get(cluster.id):
        driver.cancel(step_id, kill)
    return {"StepId": step_id, "Status": "SUBMITTED", "Reason": ""}
