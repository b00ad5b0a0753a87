"""Clusters: launch, describe, list, protect, terminate."""

from __future__ import annotations

from typing import Any

from .. import errors, ids, shapes, states
from ..access import roles, security
from ..paging import marker, place
from ..records import Cluster, Instance
from ..registry import Call, operation
from ..requests import request
from ..s3 import S3
from . import scaling

PAGE = 50


@operation("RunJobFlow")
def run_job_flow(call: Call, params: dict[str, Any]) -> dict[str, Any]:
    cluster, groups, steps = request.cluster(params, call.context.account, call.context.region)
    if cluster.log_uri and not S3(call.service.endpoint, cluster.account, cluster.region).has_bucket(cluster.log_uri):
        bucket = cluster.log_uri.partition("://")[2].partition("/")[0]
        raise errors.validation(
            f"The bucket of LogUri '{cluster.log_uri}' does not exist. Create it first: aws s3 mb s3://{bucket}"
        )
    if profile := params.get("JobFlowRole"):
        roles.check_profile(call.service.endpoint, cluster.account, profile)
    cluster.reason = "Provisioning Amazon EC2 capacity"
    with call.service.history.transaction():  # nobody deletes its security configuration meanwhile
        security.check(call.service.history, cluster)
        call.service.history.add(cluster, *groups, *steps)
        scaling.added(call.service, cluster, groups)
    call.service.launch(cluster)
    return {"JobFlowId": cluster.id, "ClusterArn": ids.cluster_arn(cluster.region, cluster.account, cluster.id)}


@operation("DescribeCluster")
def describe_cluster(call: Call, params: dict[str, Any]) -> dict[str, Any]:
    found = call.cluster(params["ClusterId"])
    return {"Cluster": shapes.cluster(found, call.service.history.of(Instance, found.id))}


@operation("ListClusters")
def list_clusters(call: Call, params: dict[str, Any]) -> dict[str, Any]:
    """Newest first; the marker holds the number of the last cluster of a page, so that new ones shift nothing."""
    wanted = list(params.get("ClusterStates") or [])
    conditions = ["json_extract(body, '$.account') = ?", "json_extract(body, '$.region') = ?"]
    values: list[object] = [call.context.account, call.context.region]
    if wanted:
        conditions.append(f"state in ({', '.join('?' * len(wanted))})")
        values += wanted
    for name, comparison in (("CreatedAfter", ">="), ("CreatedBefore", "<=")):
        if name in params:
            conditions.append(f"created {comparison} ?")
            values.append(params[name].timestamp())
    if params.get("Marker"):
        conditions.append("number < (select number from records where id = ?)")
        values.append(place(params["Marker"]))
    history = call.service.history
    found = history.select(Cluster, f"{' and '.join(conditions)} order by number desc limit {PAGE + 1}", values)
    page = found[:PAGE]
    told = [shapes.cluster_summary(one, history.of(Instance, one.id)) for one in page]
    return {"Clusters": told, **({"Marker": marker(page[-1].id)} if len(found) > PAGE else {})}


@operation("TerminateJobFlows")
def terminate_job_flows(call: Call, params: dict[str, Any]) -> None:
    """Those that are not protected are terminated; then the protected ones are told."""
    found = [call.job_flow(cluster_id) for cluster_id in params["JobFlowIds"]]
    for cluster in found:
        with call.service.history.changing(Cluster, cluster.id) as now:
            if now.protected or now.state not in states.OPEN:
                continue
            now.move("TERMINATING", "Terminated by user request", "USER_REQUEST")
        call.service.wake(cluster.id)
    if any(cluster.protected and cluster.state in states.OPEN for cluster in found):
        raise errors.validation("Could not shut down one or more job flows since they are termination protected.")


def change(call: Call, cluster_ids: list[str], name: str, value: object) -> None:
    """Set one attribute of several clusters, all or none."""
    history = call.service.history
    with history.transaction():
        for cluster_id in cluster_ids:
            if call.job_flow(cluster_id).state not in states.OPEN:
                raise errors.ended()
            with history.changing(Cluster, cluster_id) as cluster:
                setattr(cluster, name, value)
    for cluster_id in cluster_ids:
        call.service.wake(cluster_id)


@operation("SetTerminationProtection")
def set_termination_protection(call: Call, params: dict[str, Any]) -> None:
    change(call, params["JobFlowIds"], "protected", params["TerminationProtected"])


@operation("SetKeepJobFlowAliveWhenNoSteps")
def set_keep_job_flow_alive_when_no_steps(call: Call, params: dict[str, Any]) -> None:
    change(call, params["JobFlowIds"], "keep_alive", params["KeepJobFlowAliveWhenNoSteps"])


@operation("ListBootstrapActions")
def list_bootstrap_actions(call: Call, params: dict[str, Any]) -> dict[str, Any]:
    return {"BootstrapActions": call.cluster(params["ClusterId"]).bootstrap_actions}
