"""Notebooks and user interfaces on a real cluster: PySpark on YARN, Spark's history while it lives and afterwards."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import nbformat
import pytest

from emrlab.processes import owned

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]
WORK = """\
from pyspark.sql import SparkSession
spark = SparkSession.builder.appName("notebook").getOrCreate()
print("sum", spark.range(numbers).selectExpr("sum(id)").first()[0])
print("python", spark.sparkContext.parallelize(range(4), 2).map(lambda x: x * x).sum())
print("master", spark.sparkContext.master, spark.sparkContext.applicationId)
spark.range(3).write.mode("overwrite").parquet("hdfs:///tmp/from-notebook")
spark.stop()
"""


def until(condition: Callable[[], Any], seconds: float = 120) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, condition
        time.sleep(0.1)
    return found


def opened(url: str) -> tuple[str, str]:
    """Where a browser ends up, and what it reads there."""
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.url, answer.read().decode()


@pytest.fixture(scope="module")
def emr(aws):
    return aws("emr")


@pytest.fixture(scope="module")
def s3(aws):
    found = aws("s3")
    found.create_bucket(Bucket="interactive")
    return found


@pytest.fixture(scope="module")
def cluster(emr, s3):
    made = emr.run_job_flow(
        Name="interactive",
        ReleaseLabel="emr-7.9.0",
        Applications=[{"Name": "Spark"}],
        LogUri="s3://interactive/logs",
        Instances={"InstanceCount": 2, "MasterInstanceType": "m5.xlarge", "SlaveInstanceType": "m5.xlarge",
                   "KeepJobFlowAliveWhenNoSteps": True},
    )["JobFlowId"]  # fmt: skip
    until(lambda: emr.describe_cluster(ClusterId=made)["Cluster"]["Status"]["State"] == "WAITING", 240)
    return made


@pytest.fixture(scope="module")
def application(emr, s3, cluster):
    """A notebook is executed. The id of its application on YARN."""
    book = nbformat.v4.new_notebook(cells=[
        nbformat.v4.new_code_cell("numbers = 1", metadata={"tags": ["parameters"]}), nbformat.v4.new_code_cell(WORK),
    ])  # fmt: skip
    s3.put_object(Bucket="interactive", Key="work.ipynb", Body=nbformat.writes(book).encode())
    execution = emr.start_notebook_execution(
        NotebookS3Location={"Bucket": "interactive", "Key": "work.ipynb"},
        OutputNotebookS3Location={"Bucket": "interactive", "Key": "out"},
        ExecutionEngine={"Id": cluster},
        ServiceRole="EMR_Notebooks_DefaultRole",
        NotebookParams=json.dumps({"numbers": 1000}),
    )["NotebookExecutionId"]

    def over() -> Any:
        told = emr.describe_notebook_execution(NotebookExecutionId=execution)["NotebookExecution"]
        return told if told["Status"] in ("FINISHED", "FAILED", "STOPPED") else None

    told = until(over, 240)
    key = told["OutputNotebookURI"].removeprefix("s3://interactive/")
    done = nbformat.reads(s3.get_object(Bucket="interactive", Key=key)["Body"].read().decode(), as_version=4)
    text = "".join(out["text"] for out in done.cells[-1]["outputs"] if out.get("name") == "stdout")
    assert told["Status"] == "FINISHED", (told, done.cells[-1])
    assert "sum 499500\npython 14\nmaster yarn application_" in text
    return text.split("master yarn ")[1].split()[0]


def ready(ask: Callable[..., Any], **params: Any) -> str:
    def url() -> str:
        told = ask(**params)
        assert ("PresignedURL" in told) == told["PresignedURLReady"]
        return told.get("PresignedURL", "")

    found: str = until(url)
    return found


def test_a_pyspark_notebook_runs_on_yarn(application, emr, cluster):
    found, page = opened(
        ready(
            emr.get_on_cluster_app_ui_presigned_url,
            ClusterId=cluster,
            OnClusterAppUIType="ResourceManager",
            ApplicationId=application,
        )
    )
    assert found.endswith(f":8088/cluster/app/{application}")
    assert "SUCCEEDED" in page


def test_the_cluster_s_history_server_opens_through_its_presigned_url(application, emr, cluster):
    found, page = opened(
        ready(emr.get_on_cluster_app_ui_presigned_url, ClusterId=cluster, OnClusterAppUIType="SparkHistoryServer",
              ApplicationId=application)
    )  # fmt: skip
    assert found.endswith(f":18080/history/{application}/jobs/")
    assert "notebook" in page


def persistent(emr, cluster, application):
    arn = emr.describe_cluster(ClusterId=cluster)["Cluster"]["ClusterArn"]
    ui = emr.create_persistent_app_ui(TargetResourceArn=arn)["PersistentAppUIId"]
    assert (
        emr.describe_persistent_app_ui(PersistentAppUIId=ui)["PersistentAppUI"]["PersistentAppUIStatus"] == "ATTACHED"
    )
    return opened(
        ready(emr.get_persistent_app_ui_presigned_url, PersistentAppUIId=ui, PersistentAppUIType="SHS",
              ApplicationId=application)
    )  # fmt: skip


def test_a_persistent_one_opens_while_the_cluster_lives(application, emr, cluster):
    master = emr.describe_cluster(ClusterId=cluster)["Cluster"]["MasterPublicDnsName"]
    found, page = persistent(emr, cluster, application)
    assert master not in found
    assert "notebook" in page


def test_it_opens_after_the_cluster_s_end_and_ends_with_the_region(application, emr, cluster, home):
    emr.terminate_job_flows(JobFlowIds=[cluster])
    until(lambda: emr.describe_cluster(ClusterId=cluster)["Cluster"]["Status"]["State"] == "TERMINATED")
    found, page = persistent(emr, cluster, application)
    assert f"/history/{application}/jobs/" in found
    assert "notebook" in page
    servers = [one for one in owned(home) if "HistoryServer" in " ".join(one.cmdline())]
    assert len(servers) == 1  # the fixture of the region sees it gone
    with pytest.raises(urllib.error.HTTPError, match="403"):
        opened(emr.meta.endpoint_url + "/_emrlab/ui/guessed")
