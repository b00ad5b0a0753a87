"""What a check may look at: EMR's API, S3, YARN. Nothing a learner has typed."""

from __future__ import annotations

import csv
import io
from typing import Any

from ..widgets.cluster import RESOURCE_MANAGER, Cluster, look, rest
from .definition import NotYet

LIVE = ("STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING")
CLUSTERS_LOOKED_AT = 50


class State:
    """``bucket``: the lab's. ``parameters``: what the panel says, by name (empty when it was not shown)."""

    def __init__(self, emr: Any, s3: Any, bucket: str, parameters: dict[str, Any] | None = None) -> None:
        self.emr = emr
        self.s3 = s3
        self.bucket = bucket
        self.parameters = parameters or {}

    def clusters(self, *states: str) -> list[dict[str, Any]]:
        """The lab's clusters, newest first, as DescribeCluster tells them: those that log into its bucket."""
        wanted = {"ClusterStates": list(states)} if states else {}
        pages = self.emr.get_paginator("list_clusters").paginate(
            **wanted, PaginationConfig={"MaxItems": CLUSTERS_LOOKED_AT}
        )
        listed = [cluster["Id"] for page in pages for cluster in page["Clusters"]]
        told = (self.emr.describe_cluster(ClusterId=cluster_id)["Cluster"] for cluster_id in listed)
        return [cluster for cluster in told if self.mine(cluster.get("LogUri", ""))]

    def mine(self, log_uri: str) -> bool:
        return log_uri.partition("://")[2].startswith(f"{self.bucket}/")

    def newest(self) -> Cluster:
        """The lab's newest cluster, whatever its state. ``NotYet`` when there was none."""
        found = self.clusters()
        if not found:
            raise NotYet(
                "I see no cluster that logs into this lab's bucket. I expected one: launch it with run_job_flow."
            )
        return look(self.emr, found[0]["Id"])

    def step_settings(self, cluster_id: str, step_id: str) -> list[str]:
        """The arguments of a step."""
        told = self.emr.describe_step(ClusterId=cluster_id, StepId=step_id)["Step"]
        return list(told.get("Config", {}).get("Args", []))

    def applications(self, cluster: Cluster) -> list[dict[str, Any]]:
        """YARN's applications on the cluster; none when it does not answer."""
        apps = rest(cluster.master, RESOURCE_MANAGER, "/ws/v1/cluster/apps").get("apps") or {}
        return list(apps.get("app", []))

    def keys(self, prefix: str) -> list[str]:
        """Object names under ``prefix`` in the lab's bucket."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return [one["Key"] for page in pages for one in page.get("Contents", [])]

    def rows(self, prefix: str) -> list[dict[str, Any]]:
        """The rows under ``prefix``: Parquet files, or text lines of ``key<TAB>value`` (as ``key`` and ``value``)."""
        found: list[dict[str, Any]] = []
        for key in self.keys(prefix):
            name = key.rpartition("/")[2]
            if name.startswith(("_", ".")) or not name:
                continue
            data = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
            if name.endswith(".parquet"):
                import pyarrow.parquet

                found += pyarrow.parquet.read_table(io.BytesIO(data)).to_pylist()
            else:
                lines = csv.reader(io.StringIO(data.decode()), delimiter="\t")
                found += [{"key": line[0], "value": line[1] if len(line) > 1 else ""} for line in lines if line]
        return found
