"""Application user interfaces: presigned URLs of those on a cluster, and of the history server that outlives it."""

from __future__ import annotations

import re
import time
from typing import Any

from ...nodes.waiting import fetched, listening
from .. import errors, ids
from ..driver import Driver
from ..interactive import event_logs, history_servers, persistent_uis
from ..interactive.persistent_uis import PersistentUI
from ..records import Cluster
from ..registry import Call, operation
from ..requests import request
from .tags import TAGGED

TAGGED["p-"] = PersistentUI
UP = ("RUNNING", "WAITING")
ARN = re.compile(r"arn:aws[\w-]*:elasticmapreduce:([\w-]*):(\d{12}):cluster/(j-[A-Z0-9]+)")
APPLICATION = re.compile(r"application_\d+_\d+")
YARN, JOBS, TIMELINE = 8088, 19888, 8188
NO_ROLE = "A runtime role for user interfaces (ExecutionRoleArn), which EMR has,"


@operation("GetOnClusterAppUIPresignedURL")
def get_on_cluster_app_ui_presigned_url(call: Call, params: dict[str, Any]) -> dict[str, Any]:
    """Not ready while a server that starts on request has not started, or not read the application's log.

    With ``DryRun`` everything is looked at, and no URL is made.
    """
    if params.get("ExecutionRoleArn"):
        raise errors.not_built(NO_ROLE)
    cluster = call.cluster(params["ClusterId"])
    driver = call.service.drivers.get(cluster.id)
    if cluster.state not in UP or driver is None:
        raise errors.invalid(
            f"Cluster {cluster.id} is in state {cluster.state}: its user interfaces answer while it is RUNNING or "
            "WAITING. Afterwards: CreatePersistentAppUI."
        )
    application = params.get("ApplicationId", "")
    check_application(driver, application)
    target = on_cluster(driver, params.get("OnClusterAppUIType", "SparkHistoryServer"), application)
    return answer(call, target, dry=params.get("DryRun", False))


def answer(call: Call, target: str, dry: bool = False) -> dict[str, Any]:
    if not target or dry:
        return {"PresignedURLReady": bool(target)}
    return {"PresignedURLReady": True, "PresignedURL": call.service.links.to(target)}


def check_application(driver: Driver, application: str) -> None:
    if application and not (APPLICATION.fullmatch(application) and yarn(driver, application)):
        raise errors.invalid(f"Application id '{application}' is not valid: YARN of {driver.cluster_id} has none such.")


def yarn(driver: Driver, application: str) -> dict[str, Any]:
    """What the ResourceManager knows of an application; empty if nothing."""
    url = f"http://{driver.machines.master.address}:{YARN}/ws/v1/cluster/apps/{application}"
    found = fetched(url).get("app", {})
    return found if isinstance(found, dict) else {}


def on_cluster(driver: Driver, kind: str, application: str) -> str:
    """Where the interface is; empty while it does not answer."""
    master = driver.machines.master
    base = f"http://{master.address}"
    if kind == "ResourceManager":
        return f"{base}:{YARN}/cluster{f'/app/{application}' if application else ''}" * listening(master.address, YARN)
    if kind == "JobHistoryServer":
        job = f"/job/{application.replace('application', 'job')}" if application else ""
        return f"{base}:{JOBS}/jobhistory{job}" * listening(master.address, JOBS)
    if kind == "YarnTimelineService":
        if not listening(master.address, TIMELINE):
            raise errors.not_built("YARN's timeline service")
        return f"{base}:{TIMELINE}/applicationhistory{f'/app/{application}' if application else ''}"
    if kind == "TezUI":
        raise errors.not_built("The Tez UI")
    if kind == "ApplicationMaster":
        if not application:
            raise errors.invalid("ApplicationId is required for the user interface of an ApplicationMaster.")
        if yarn(driver, application).get("state") not in ("FINISHED", "FAILED", "KILLED"):
            return f"{base}:{YARN}/proxy/{application}/"
    # An application that has ended has no master any more: its history is what opens.
    need_spark(driver.cluster)
    server = history_servers.on_cluster(master)
    return history_servers.page(server, application) if server else ""


def need_spark(cluster: Cluster) -> None:
    if "Spark" not in cluster.applications:
        raise errors.invalid(f"Spark is not installed on cluster {cluster.id}: it has no Spark history.")


@operation("CreatePersistentAppUI")
def create_persistent_app_ui(call: Call, params: dict[str, Any]) -> dict[str, Any]:
    if params.get("EMRContainersConfig"):
        raise errors.not_built("Amazon EMR on EKS (EMRContainersConfig)")
    if params.get("ProfilerType", "SHS") != "SHS":
        raise errors.not_built(f"The persistent user interface {params['ProfilerType']}, which EMR has besides SHS,")
    found = ARN.fullmatch(params["TargetResourceArn"])
    if found is None or found.groups()[:2] != (call.context.region, call.context.account):
        raise errors.invalid("TargetResourceArn is not valid: it must be the ARN of a cluster of this account.")
    cluster = call.cluster(found[3])
    need_spark(cluster)
    if cluster.ended and time.time() - cluster.ended > event_logs.KEPT_DAYS * 24 * 3600:
        raise errors.invalid(f"Cluster {cluster.id} ended more than {event_logs.KEPT_DAYS} days ago.")
    made = PersistentUI(
        id=ids.made("p").lower(),
        cluster=cluster.id,
        state="ATTACHED",
        account=call.context.account,
        region=call.context.region,
        tags=request.tags(params.get("Tags") or []),
    )
    call.service.history.add(made)
    return {"PersistentAppUIId": made.id, "RuntimeRoleEnabledCluster": False}


def mine(call: Call, ui: str) -> PersistentUI:
    found = call.service.history.get(PersistentUI, ui)
    if found is None or (found.account, found.region) != (call.context.account, call.context.region):
        raise errors.invalid(f"Persistent App UI id '{ui}' is not valid.")
    return found


@operation("DescribePersistentAppUI")
def describe_persistent_app_ui(call: Call, params: dict[str, Any]) -> dict[str, Any]:
    return {"PersistentAppUI": persistent_uis.shape(mine(call, params["PersistentAppUIId"]))}


@operation("GetPersistentAppUIPresignedURL")
def get_persistent_app_ui_presigned_url(call: Call, params: dict[str, Any]) -> dict[str, Any]:
    """Starts the history server off the cluster; not ready until it answers and has read the application's log."""
    if params.get("ExecutionRoleArn"):
        raise errors.not_built(NO_ROLE)
    ui = mine(call, params["PersistentAppUIId"])
    if params.get("PersistentAppUIType", "SHS") != "SHS":
        raise errors.not_built(f"The persistent user interface {params['PersistentAppUIType']}, which EMR has,")
    service, cluster = call.service, call.cluster(ui.cluster)
    if driver := service.drivers.get(cluster.id):
        event_logs.collect(service.home, cluster.id, driver.machines.master.address)
    application = params.get("ApplicationId", "")
    if application and not event_logs.known(service.home, cluster.id, application):
        raise errors.invalid(f"Application id '{application}' is not valid: {cluster.id} has no event log of it.")
    server = history_servers.off_cluster(service, cluster).server
    return answer(call, history_servers.page(server, application) if server else "")
