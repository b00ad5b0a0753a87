"""Real clusters under kill -9: of the region in the middle of a step, of a notebook's kernel in the middle of a lab."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest
from jupyter_client.manager import KernelManager

from emrlab.cli import jupyter
from emrlab.home import Home
from emrlab.processes import end, owned
from emrlab.region import control

from .real import waiter

pytestmark = [pytest.mark.engine, pytest.mark.timeout(400)]
until = waiter(60)
LABS = Path(__file__).resolve().parents[2] / "labs" / "1-clusters"


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home of its own for each test: what is killed in one must not trouble the other."""
    found = Home(tmp_path.resolve())
    monkeypatch.setenv("EMRLAB_HOME", str(found.root))
    yield found
    control.down(found)
    left = list(owned(found))
    end(left)
    assert left == []


def clients(region: control.Region) -> tuple[Any, Any]:
    import boto3

    session = boto3.session.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1")
    return session.client("emr", endpoint_url=region.endpoint), session.client("s3", endpoint_url=region.endpoint)


def launch(emr: Any, *applications: str, **more: Any) -> str:
    made = emr.run_job_flow(
        Name="one",
        ReleaseLabel="emr-7.9.0",
        Applications=[{"Name": name} for name in applications],
        Instances={"InstanceCount": 1, "MasterInstanceType": "m5.xlarge", "KeepJobFlowAliveWhenNoSteps": True},
        **more,
    )
    return str(made["JobFlowId"])


def state(emr: Any, cluster_id: str) -> str:
    return str(emr.describe_cluster(ClusterId=cluster_id)["Cluster"]["Status"]["State"])


def alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def test_a_region_killed_in_the_middle_of_a_step_leaves_no_process_and_loses_nothing(home):
    region = control.up(home)
    emr, s3 = clients(region)
    s3.create_bucket(Bucket="kept")
    s3.put_object(Bucket="kept", Key="data", Body=b"1" * 100_000)
    work = {"Jar": "command-runner.jar", "Args": ["bash", "-c", "echo so far >&2; hdfs dfs -ls /; sleep 300"]}
    asked = [{"Name": "long", "ActionOnFailure": "CONTINUE", "HadoopJarStep": work}]
    cluster_id = launch(emr, "Hadoop", LogUri="s3://kept/logs/", Steps=[*asked, *asked])
    steps = lambda: emr.list_steps(ClusterId=cluster_id)["Steps"][::-1]  # noqa: E731
    until(lambda: steps()[0]["Status"]["State"] == "RUNNING")
    those = list(owned(home))
    assert len(those) > 5  # region, warden, daemons, the step
    os.kill(region.pid, signal.SIGKILL)
    until(lambda: not any(map(alive, those)), 10)

    again = control.up(home)
    assert again.endpoint == region.endpoint
    emr, s3 = clients(again)
    assert s3.get_object(Bucket="kept", Key="data")["Body"].read() == b"1" * 100_000
    told = emr.describe_cluster(ClusterId=cluster_id)["Cluster"]["Status"]
    assert told["State"] == "TERMINATED_WITH_ERRORS"
    assert "its processes are gone" in told["StateChangeReason"]["Message"]
    assert [one["Status"]["State"] for one in steps()] == ["INTERRUPTED", "CANCELLED"]
    key = f"logs/{cluster_id}/steps/{steps()[0]['Id']}/stderr.gz"  # what it had written is archived after all
    until(lambda: s3.list_objects_v2(Bucket="kept", Prefix=key).get("KeyCount"))
    # The folders go when all logs are archived, not only this one.
    until(lambda: not list(home.clusters.glob(f"{cluster_id}/*/mnt/namenode")))


class Kernel:
    """A notebook's kernel in the labs' folder."""

    def __init__(self) -> None:
        self.manager = KernelManager(kernel_name="python3")
        self.manager.start_kernel(
            cwd=str(LABS), env={**jupyter.environment(Home(Path(os.environ["EMRLAB_HOME"]))), "EMRLAB_LIVE": "0"}
        )
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    def run(self, code: str) -> str:
        """What the cell prints. Raises when it fails."""
        said: list[str] = []

        def hear(message: Any) -> None:
            if message["msg_type"] == "stream":
                said.append(message["content"]["text"])

        reply = self.client.execute_interactive(code, timeout=120, output_hook=hear)
        assert reply["content"]["status"] == "ok", reply["content"]
        return "".join(said)

    def kill(self) -> None:
        os.kill(self.manager.provisioner.pid, signal.SIGKILL)
        self.client.stop_channels()
        self.manager.cleanup_resources()


def test_after_its_kernel_was_killed_a_lab_goes_on_with_the_cluster_it_had(home):
    region = control.up(home)
    emr, s3 = clients(region)
    s3.create_bucket(Bucket=f"emrlab-1-1-{region.account}")
    cluster_id = launch(emr, "Hadoop", "Spark", LogUri=f"s3://emrlab-1-1-{region.account}/logs/")
    until(lambda: state(emr, cluster_id) == "WAITING")
    kernel = Kernel()
    opened = "import emrlab\nlab = emrlab.lab('1.1')\nprint('found', lab.cluster())"
    assert f"found {cluster_id}" in kernel.run(opened)
    counted = "print('rows', lab.spark(lab.cluster()).range(1000).count())"
    assert "rows 1000" in kernel.run(counted)
    driver = next(one for one in psutil.Process(kernel.manager.provisioner.pid).children(recursive=True) if alive(one))
    kernel.kill()
    until(lambda: not alive(driver), 20)  # the JVM goes with its notebook
    assert state(emr, cluster_id) == "WAITING"  # the cluster does not

    kernel = Kernel()
    assert f"found {cluster_id}" in kernel.run(opened)
    assert "rows 1000" in kernel.run(counted)
    kernel.run("lab.close()")
    kernel.kill()
    assert state(emr, cluster_id) == "TERMINATED"
