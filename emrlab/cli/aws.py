"""The running region as an AWS client sees it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..errors import LabError

if TYPE_CHECKING:
    from ..region.control import Region

ACTIVE = ("STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING", "TERMINATING")


def running() -> Region:
    """This home's region, or a ``LabError`` that says how to start it."""
    from ..region import control

    region = control.status()
    if region is None:
        raise LabError("No region is running. Start one: emrlab up")
    return region


def client(service: str, region: Region) -> Any:
    """A boto3 client of ``service`` at ``region``, whatever the shell's AWS settings are."""
    import boto3
    from botocore.config import Config

    from ..region import control

    env = control.environment(region)
    session = boto3.Session(
        aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
        region_name=region.name,
    )
    config = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=60)
    return session.client(service, endpoint_url=region.endpoint, config=config)


@contextmanager
def explained() -> Iterator[None]:
    """An AWS client's errors as one line for people."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        raise LabError(str(error.response.get("Error", {}).get("Message") or error)) from error
    except BotoCoreError as error:
        raise LabError(f"The region does not answer ({error}). Look at it: emrlab doctor") from error


def clusters(region: Region, states: tuple[str, ...] = ACTIVE) -> list[dict[str, Any]]:
    """Clusters in ``states``, newest first, as ListClusters gives them."""
    with explained():
        pages = client("emr", region).get_paginator("list_clusters").paginate(ClusterStates=list(states))
        return [cluster for page in pages for cluster in page["Clusters"]]


def describe(emr: Any, cluster_id: str) -> dict[str, Any]:
    """DescribeCluster; an unknown id becomes a ``LabError`` that says where to find the known ones."""
    from botocore.exceptions import ClientError

    with explained():
        try:
            cluster: dict[str, Any] = emr.describe_cluster(ClusterId=cluster_id)["Cluster"]
            return cluster
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != "InvalidRequestException":
                raise
            raise LabError(f"There is no cluster {cluster_id}. List them: emrlab status --all") from error


def master(emr: Any, cluster: dict[str, Any]) -> dict[str, Any]:
    """The cluster's master instance, as ListInstances gives it; ``LabError`` while there is none."""
    fleets = cluster.get("InstanceCollectionType") == "INSTANCE_FLEET"
    where = {"InstanceFleetType": "MASTER"} if fleets else {"InstanceGroupTypes": ["MASTER"]}
    with explained():
        found = emr.list_instances(ClusterId=cluster["Id"], **where)["Instances"]
    alive = [one for one in found if one.get("Status", {}).get("State") != "TERMINATED"]
    if not alive:
        state = cluster["Status"]["State"]
        after = "try again in a moment" if state in ACTIVE else "start another one"
        raise LabError(f"Cluster {cluster['Id']} is {state} and has no master node: {after}.")
    instance: dict[str, Any] = alive[0]
    return instance
