"""A region of its own for measurements: tuned as for learners, or with JVMs as they come."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from emrlab.home import Home
from emrlab.nodes.jvm import STOCK
from emrlab.processes import end, owned
from emrlab.region import control

TRIVIAL = """\
from pyspark.sql import SparkSession
spark = SparkSession.builder.appName("trivial").getOrCreate()
print(spark.range(1000).selectExpr("sum(id)").first())
spark.stop()
"""


class Bench:
    """A running region, and clients on it."""

    def __init__(self, region: control.Region) -> None:
        import boto3

        self.region, self.home = region, Home(region.home)
        self.environment = {**os.environ, **control.environment(region)}
        self.session = boto3.session.Session(
            aws_access_key_id="test", aws_secret_access_key="test", region_name=region.name
        )
        self.emr, self.s3 = self.client("emr"), self.client("s3")
        self.s3.create_bucket(Bucket="bench")
        self.s3.put_object(Bucket="bench", Key="trivial.py", Body=TRIVIAL.encode())

    def client(self, name: str) -> Any:
        from botocore.config import Config

        return self.session.client(
            name, endpoint_url=self.region.endpoint, config=Config(s3={"addressing_style": "path"})
        )

    def launch(self, cores: int = 2) -> tuple[str, float]:
        """A cluster of Hadoop and Spark, and the seconds from the call until it is WAITING."""
        begun = time.perf_counter()
        groups = [
            {"InstanceRole": "MASTER", "InstanceType": "m5.xlarge", "InstanceCount": 1},
            {"InstanceRole": "CORE", "InstanceType": "m5.xlarge", "InstanceCount": cores},
        ]
        cluster_id = self.emr.run_job_flow(
            Name="bench",
            ReleaseLabel="emr-7.9.0",
            Applications=[{"Name": "Hadoop"}, {"Name": "Spark"}],
            Instances={"InstanceGroups": groups, "KeepJobFlowAliveWhenNoSteps": True},
        )["JobFlowId"]
        self.until(lambda: self.state(cluster_id), "WAITING")
        return cluster_id, time.perf_counter() - begun

    def state(self, cluster_id: str) -> str:
        return str(self.emr.describe_cluster(ClusterId=cluster_id)["Cluster"]["Status"]["State"])

    def step(self, cluster_id: str, *command: str) -> float:
        """Seconds from AddJobFlowSteps until the step is COMPLETED."""
        begun = time.perf_counter()
        work = {"Jar": "command-runner.jar", "Args": list(command)}
        asked = [{"Name": command[0], "ActionOnFailure": "CONTINUE", "HadoopJarStep": work}]
        (step_id,) = self.emr.add_job_flow_steps(JobFlowId=cluster_id, Steps=asked)["StepIds"]

        self.until(lambda: self.step_state(cluster_id, step_id), "COMPLETED")
        return time.perf_counter() - begun

    def step_state(self, cluster_id: str, step_id: str) -> str:
        return str(self.emr.describe_step(ClusterId=cluster_id, StepId=step_id)["Step"]["Status"]["State"])

    def terminate(self, cluster_id: str) -> None:
        self.emr.terminate_job_flows(JobFlowIds=[cluster_id])
        self.until(lambda: self.state(cluster_id), "TERMINATED")

    def until(self, state: Any, wanted: str, seconds: float = 300) -> None:
        deadline = time.monotonic() + seconds
        while (found := state()) != wanted:
            if found in ("TERMINATED_WITH_ERRORS", "FAILED", "CANCELLED") or time.monotonic() > deadline:
                raise RuntimeError(f"{found} instead of {wanted}")
            time.sleep(0.05)

    def pss(self) -> float:
        """MiB of all processes of the region: shared pages divided among those that share them."""
        return sum(map(pss, owned(self.home)))


def pss(process: psutil.Process) -> float:
    try:
        return float(process.memory_full_info().pss) / 2**20
    except psutil.Error:
        return 0.0


@contextmanager
def bench(stock: bool = False, before: Callable[[Home], None] | None = None) -> Iterator[Bench]:
    """A region in a home of its own, gone afterwards. ``before``: what its home is to have first."""
    with tempfile.TemporaryDirectory(prefix="emrlab-bench-") as folder:
        home = Home(Path(folder).resolve())
        if before:
            before(home)
        was = os.environ.pop(STOCK, None)
        if stock:
            os.environ[STOCK] = "1"
        try:
            yield Bench(control.up(home))
        finally:
            os.environ.pop(STOCK, None)
            if was is not None:
                os.environ[STOCK] = was
            control.down(home)
            end(owned(home))
