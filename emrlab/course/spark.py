"""An interactive SparkSession on a cluster, in this process: what a shell on the master node would start."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from pathlib import Path
from typing import Any

from ..errors import LabError
from ..home import Home

RUNNING = ("RUNNING", "WAITING")
LOCAL = "local"
# What stays a process's own when it is on a node.
OWN = (
    *("HOME", "USER", "PWD", "PATH"),
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SHARED_CREDENTIALS_FILE"),
)
LOG4J2 = """\
rootLogger.level = info
rootLogger.appenderRef.file.ref = file
# A level of its own, or it tells everybody on standard error that the root's is another one.
logger.gateway.name = org.apache.spark.api.python.PythonGatewayServer
logger.gateway.level = info
appender.file.type = File
appender.file.name = file
appender.file.fileName = {log}
appender.file.append = false
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{{yy/MM/dd HH:mm:ss}} %p %c{{1}}: %m%n%ex
"""


def session(emr: Any, home: Home, cluster_id: str, name: str) -> Any:
    """The session, a YARN application in client mode. ``LabError`` when the cluster cannot have one.

    A session on another cluster is stopped first: there can be one Spark driver in a process.
    """
    told = emr.describe_cluster(ClusterId=cluster_id)["Cluster"]
    state = told["Status"]["State"]
    if state not in RUNNING:
        todo = "Watch it until it is WAITING" if state in ("STARTING", "BOOTSTRAPPING") else "Launch another one"
        raise LabError(f"Cluster {told['Name']} is {state}: Spark needs a running one. {todo}, then run this again.")
    if not any(one["Name"] == "Spark" for one in told.get("Applications", [])):
        raise LabError(f"Cluster {told['Name']} has no Spark. Launch one with Applications=[…, {{'Name': 'Spark'}}]")
    if os.environ.get("EMRLAB_SPARK_CLUSTER") not in (None, cluster_id):
        stop()
    apply(environment(home, emr, cluster_id))
    return made(home, cluster_id, name, "yarn")


def log_settings(home: Home) -> Path:
    """What the driver logs goes to a file beside these settings: below a cell it would be noise."""
    file = home.root / "jupyter" / "spark-log4j2.properties"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(LOG4J2.format(log=file.with_name("spark.log")))
    return file


def local(home: Home, name: str) -> Any:
    """A session in this process alone, ``s3://`` included. ``LabError`` while Spark is not here yet."""
    file = home.root / "workstation" / "etc" / "environment"
    if not file.is_file():
        raise LabError(
            "Spark is not here yet. Fetch it, then run this again: !emrlab fetch && emrlab down && emrlab up"
        )
    if os.environ.get("EMRLAB_SPARK_CLUSTER") not in (None, LOCAL):
        stop()
    apply(read(file))
    return made(home, LOCAL, name, "local[*]")


def made(home: Home, place: str, name: str, master: str) -> Any:
    """The session, once this process is where it belongs."""
    options = f"-Dlog4j2.configurationFile={log_settings(home)}"
    os.environ["PYSPARK_SUBMIT_ARGS"] = f"--driver-java-options {shlex.quote(options)} pyspark-shell"
    os.environ["EMRLAB_SPARK_CLUSTER"] = place
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master(master).appName(name).config("spark.submit.deployMode", "client")
    return builder.config("spark.ui.showConsoleProgress", "false").getOrCreate()


def environment(home: Home, emr: Any, cluster_id: str) -> dict[str, str]:
    """What a login on the master node has: KEY=VALUE lines in the node's ``etc/environment``."""
    page = emr.list_instances(ClusterId=cluster_id, InstanceGroupTypes=["MASTER"])
    alive = [one for one in page["Instances"] if one["Status"]["State"] == "RUNNING"]
    if not alive:
        raise LabError("The cluster's master node is not running. Launch another cluster.")
    file = home.clusters / cluster_id / alive[0]["Ec2InstanceId"] / "etc" / "environment"
    try:
        return read(file)
    except OSError as error:
        raise LabError(
            f"The master node's environment cannot be read ({error.strerror}): this notebook's EMRLAB_HOME is "
            f"{home.root}. Start it with the one the region has: emrlab lab"
        ) from error


def read(file: Path) -> dict[str, str]:
    """KEY=VALUE lines."""
    lines = file.read_text().splitlines()
    pairs = (line.partition("=") for line in lines if line.strip() and not line.startswith("#"))
    return {name.strip(): value.strip().strip('"') for name, _, value in pairs}


def apply(settings: dict[str, str]) -> None:
    """Let this process be on the node: its variables, and its Spark before any other on the path.

    What the notebook itself asks of AWS it asks as before, not in the node's name.
    """
    os.environ.update({name: value for name, value in settings.items() if name not in OWN})
    if "PATH" in settings:
        os.environ["PATH"] = os.pathsep.join([settings["PATH"], os.environ.get("PATH", "")])
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    home = settings.get("SPARK_HOME")
    if not home or not (Path(home) / "python").is_dir():
        raise LabError(
            "The master node names no SPARK_HOME. Launch the cluster again with Spark among its applications."
        )
    wanted = [str(Path(home) / "python"), *map(str, sorted((Path(home) / "python" / "lib").glob("py4j-*.zip")))]
    sys.path[:] = [*wanted, *(place for place in sys.path if place not in wanted)]


def stop() -> bool:
    """Stop the session and the JVM behind it. True when there was one."""
    os.environ.pop("EMRLAB_SPARK_CLUSTER", None)
    module = sys.modules.get("pyspark")
    if module is None:
        return False
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    gateway, active = SparkContext._gateway, SparkSession._instantiatedSession
    with contextlib.suppress(Exception):  # the cluster may be gone: then there is nothing to say goodbye to
        if active is not None:
            active.stop()
    if gateway is None:
        return active is not None
    process = getattr(gateway, "proc", None)
    with contextlib.suppress(Exception):
        gateway.shutdown()
    if process is not None:
        with contextlib.suppress(Exception):
            process.stdin.close()  # the driver's JVM ends with its standard input
            process.wait(10)
        if process.poll() is None:
            process.kill()
            process.wait()
    SparkContext._gateway = SparkContext._jvm = None
    SparkContext._active_spark_context = None
    SparkSession._instantiatedSession = None
    return True
