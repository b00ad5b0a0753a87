"""Notebooks, sessions and user interfaces on a real cluster: PySpark and Spark Connect on YARN, Spark's history."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import nbformat
import psutil
import pytest

from emrlab.processes import owned

from .real import waiter

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]
until = waiter(120)
WORK = """\
from pyspark.sql import SparkSession
spark = SparkSession.builder.appName("notebook").getOrCreate()
print("sum", spark.range(numbers).selectExpr("sum(id)").first()[0])
print("python", spark.sparkContext.parallelize(range(4), 2).map(lambda x: x * x).sum())
print("master", spark.sparkContext.master, spark.sparkContext.applicationId)
spark.range(3).write.mode("overwrite").parquet("hdfs:///tmp/from-notebook")
spark.stop()
"""


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
        SessionEnabled=True,
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


CLIENT = """\
import sys
from pyspark.sql import SparkSession
from pyspark.sql.functions import udf
at, token, session = sys.argv[1:]
spark = SparkSession.builder.remote(f"sc://{at}/;x-aws-proxy-auth={token};authorization={session}").getOrCreate()
print("version", spark.version, "sum", spark.range(1000).selectExpr("sum(id)").first()[0])
print("udf", spark.range(3).select(udf(lambda x: x + 1, "long")("id").alias("n")).agg({"n": "sum"}).first()[0])
spark.range(5).write.mode("overwrite").parquet("s3://interactive/from-session")
print("set", spark.conf.get("spark.executor.memory"))
spark.stop()
"""


def connect(endpoint: str, token: str, session: str) -> subprocess.CompletedProcess[str]:
    """What a Spark Connect client in a process of its own says."""
    return subprocess.run(
        [sys.executable, "-c", CLIENT, endpoint.removeprefix("http://"), token, session],
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip


def test_a_session_serves_spark_connect_to_whoever_has_its_token(emr, s3, cluster, home):
    properties = {"spark.executor.memory": "900m"}
    session = emr.start_session(
        ClusterId=cluster,
        Name="connect",
        EngineConfigurations=[{"Classification": "spark-defaults", "Properties": properties}],
    )["Id"]

    def told() -> Any:
        return emr.get_session(ClusterId=cluster, SessionId=session)["Session"]

    until(lambda: told()["State"] in ("IDLE", "FAILED"), 200)
    assert told()["State"] == "IDLE", told()
    where = emr.get_session_endpoint(ClusterId=cluster, SessionId=session)
    done = connect(where["Endpoint"], where["AuthToken"], session)
    assert done.stdout.split("\n") == ["version 3.5.9 sum 499500", "udf 6", "set 900m", ""], done.stderr
    assert s3.list_objects_v2(Bucket="interactive", Prefix="from-session/")["KeyCount"] > 1
    for token, name in (("wrong", session), (where["AuthToken"], "is-OTHER")):
        refused = connect(where["Endpoint"], token, name)
        assert refused.returncode != 0
        assert "not valid for this session" in refused.stderr
    listening = [
        connection.laddr.ip.removeprefix("::ffff:")
        for process in owned(home)
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert [one for one in listening if not one.startswith("127.")] == []
    master = emr.describe_cluster(ClusterId=cluster)["Cluster"]["MasterPublicDnsName"]
    running = json.loads(opened(f"http://{master}:8088/ws/v1/cluster/apps?states=RUNNING")[1])["apps"]["app"]
    (application,) = (one["id"] for one in running if session in one["name"])
    asked = {"ClusterId": cluster, "OnClusterAppUIType": "ApplicationMaster", "ApplicationId": application}
    found, page = opened(ready(emr.get_on_cluster_app_ui_presigned_url, **asked))
    assert found.startswith(f"http://{master}:8088/proxy/{application}/")
    assert "Spark Jobs" in page
    emr.terminate_session(ClusterId=cluster, SessionId=session)
    until(lambda: told()["State"] == "TERMINATED")


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
