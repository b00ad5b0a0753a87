"""Sessions: start, describe, list, terminate, and the way to a session's Spark Connect server."""

from __future__ import annotations

from typing import Any

from .. import errors, ids, shapes
from ..interactive import sessions
from ..interactive.session_run import SessionRun, worker
from ..interactive.sessions import Session
from ..paging import page
from ..records import Cluster
from ..registry import Call, operation
from ..requests import request
from .tags import TAGGED

PAGE = 50
MOST = 1000  # active ones of a cluster ("Considerations and limitations")
READY = ("RUNNING", "WAITING")
TAGGED["is-"] = Session


@operation("StartSession")
def start_session(call: Call, params: dict[str, Any]) -> dict[str, Any]:
    """EMR has sessions from release emr-spark-8.0.0 on; here every release with Spark has them."""
    cluster = call.cluster(params["ClusterId"])
    history = call.service.history
    with history.transaction():
        if record := again(call, cluster, params.get("ClientRequestToken", "")):
            return started(record)
        record = made(cluster, params)
        driver = call.service.drivers.get(cluster.id)
        if cluster.state not in READY or driver is None:
            raise errors.invalid(
                f"Cluster {cluster.id} is in state {cluster.state}: a session starts on one that is RUNNING or WAITING."
            )
        if not cluster.settings.get("SessionEnabled"):
            raise errors.invalid(f"Sessions are not enabled on cluster {cluster.id}. Launch one with SessionEnabled.")
        if "Spark" not in cluster.applications:
            raise errors.invalid(f"Spark is not installed on cluster {cluster.id}.")
        if len(history.of(Session, cluster.id, sessions.ACTIVE)) >= MOST:
            raise errors.invalid(f"Cluster {cluster.id} has {MOST} active sessions, the most there may be.")
        history.add(record)
    call.service.beside.start(SessionRun(call.service, record, driver.machines.master))
    return started(record)


def again(call: Call, cluster: Cluster, token: str) -> Session | None:
    """The session that the same request has started before."""
    return next((one for one in call.service.history.of(Session, cluster.id) if token and one.token == token), None)


def started(record: Session) -> dict[str, Any]:
    told = {"Id": record.id, "ClusterId": record.cluster, "Arn": record.arn}
    return {**told, "AccountId": record.account, "State": record.state}


def made(cluster: Cluster, params: dict[str, Any]) -> Session:
    """The record that the parameters ask for. Raises ``AwsError``."""
    if params.get("ExecutionRoleArn"):
        raise errors.not_built("A runtime role for sessions (ExecutionRoleArn), which EMR has,")
    monitoring = params.get("MonitoringConfiguration") or {}
    if asked := [name for name, one in monitoring.items() if one.get("Enabled")]:
        raise errors.not_built(f"{asked[0]} of sessions, whose logs go to the cluster's LogUri,")
    if not params.get("Name"):
        raise errors.invalid("Name is required and must not be empty.")
    minutes = params.get("SessionIdleTimeoutInMinutes", sessions.IDLE_MINUTES)
    if not 1 <= minutes <= sessions.MOST_IDLE_MINUTES:
        raise errors.invalid(f"SessionIdleTimeoutInMinutes must be from 1 to {sessions.MOST_IDLE_MINUTES}.")
    configurations = params.get("EngineConfigurations") or []
    for one in configurations:
        if one.get("Classification") != "spark-defaults" or one.get("Configurations"):
            raise errors.invalid(
                "Only runtime configuration overrides are supported: EngineConfigurations take spark-defaults."
            )
    return Session(
        id=ids.made("is"),
        cluster=cluster.id,
        state="SUBMITTED",
        account=cluster.account,
        region=cluster.region,
        name=params["Name"],
        release=cluster.release,
        configurations=configurations,
        idle_minutes=minutes,
        token=params.get("ClientRequestToken", ""),
        monitoring=monitoring,
        tags=request.tags(params.get("Tags") or []),
    )


def mine(call: Call, params: dict[str, Any]) -> Session:
    cluster = call.cluster(params["ClusterId"])
    found = call.service.history.get(Session, params["SessionId"])
    if found is None or found.cluster != cluster.id:
        raise errors.invalid(f"Session id '{params['SessionId']}' is not valid.")
    return found


@operation("GetSession")
def get_session(call: Call, params: dict[str, Any]) -> dict[str, Any]:
    return {"Session": sessions.shape(mine(call, params))}


@operation("ListSessions")
def list_sessions(call: Call, params: dict[str, Any]) -> dict[str, Any]:
    """Newest first."""
    cluster = call.cluster(params["ClusterId"])
    found = call.service.history.of(Session, cluster.id, params.get("SessionStates") or ())
    items, more = page(found[::-1], params, params.get("MaxResults", PAGE), "NextToken")
    return {"Sessions": [sessions.shape(one) for one in items], **more}


@operation("GetSessionEndpoint")
def get_session_endpoint(call: Call, params: dict[str, Any]) -> dict[str, Any]:
    """Clients connect to ``sc://<host:port>/;x-aws-proxy-auth=<token>;authorization=<session>``, as to EMR, but in the
    clear: it is loopback."""
    record = mine(call, params)
    running = worker(call.service, record.id)
    if record.state not in sessions.OPEN or running is None:
        raise errors.invalid(f"Session {record.id} is {record.state}: it has an endpoint while it is IDLE or BUSY.")
    token, end = running.admit()
    return {"Endpoint": record.endpoint, "AuthToken": token, "AuthTokenExpirationTime": shapes.moment(end)}


@operation("TerminateSession")
def terminate_session(call: Call, params: dict[str, Any]) -> dict[str, Any]:
    record = mine(call, params)
    with call.service.history.changing(Session, record.id) as now:
        if now.over:
            raise errors.invalid(f"Session {now.id} is {now.state} already.")
        if now.state != "TERMINATING":
            now.move("TERMINATING", "Terminated by user request")
    if running := worker(call.service, record.id):
        running.halt()
    return {"ClusterId": record.cluster, "SessionId": record.id, "State": "TERMINATING"}
