"""A real cluster, through stock clients alone: boto3, the AWS CLI, the engines' own commands and REST.

One cluster of a master and two core nodes serves all tests of this module, in their order; the last ones break it.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from emrlab.home import Home
from emrlab.nodes.waiting import listening
from emrlab.processes import owned
from tests import socks

from .real import get, kill_node, on_master, waiter

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]
until = waiter(90)
SCRIPTS = Path(__file__).resolve().parents[2] / "labs" / "1-clusters" / "files"
AWS = str(Path(sys.executable).with_name("aws"))
LINES = "".join(f"2013,1,1,517,515,{number % 60},830,819,11,{'UA' if number % 3 else 'AA'}\n" for number in range(3000))
SOCKS = 8157  # the port of aws emr socks
needs_ssh = pytest.mark.skipif(
    not (shutil.which("ssh") and shutil.which("scp")), reason="this machine has no SSH client (ssh and scp)"
)
OVER = ("COMPLETED", "FAILED", "CANCELLED", "INTERRUPTED")


def aws(*arguments: str) -> Any:
    """``aws emr …`` as in a learner's shell; its JSON answer."""
    done = subprocess.run([AWS, "emr", *arguments], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout.strip() else None


@pytest.fixture(scope="module")
def emr(aws_clients):
    return aws_clients("emr")


@pytest.fixture(scope="module")
def aws_clients(request):
    return request.getfixturevalue("aws")


@pytest.fixture(scope="module")
def s3(aws_clients):
    found = aws_clients("s3")
    found.create_bucket(Bucket="real")
    for name in ("bootstrap.sh", "delays.py", "mapper.py", "reducer.py"):
        found.upload_file(str(SCRIPTS / name), "real", f"scripts/{name}")
    header = "year,month,day,dep_time,sched_dep_time,dep_delay,arr_time,sched_arr_time,arr_delay,carrier\n"
    found.put_object(Bucket="real", Key="in/flights.csv", Body=(header + LINES).encode())
    return found


@pytest.fixture(scope="module")
def key(aws_clients, tmp_path_factory):
    """The private half of EC2's key pair ``real``."""
    file = tmp_path_factory.mktemp("keys") / "real.pem"
    file.touch(mode=0o600)
    file.write_text(aws_clients("ec2").create_key_pair(KeyName="real")["KeyMaterial"] + "\n")
    return file


@pytest.fixture(scope="module")
def cluster(s3, emr, key):
    """Launched by the AWS CLI, as the README shows it."""
    made = aws(
        *("create-cluster", "--name", "real", "--release-label", "emr-7.9.0"),
        *("--applications", "Name=Hadoop", "Name=Spark", "--instance-type", "m5.xlarge", "--instance-count", "3"),
        *("--use-default-roles", "--log-uri", "s3://real/logs", "--ec2-attributes", "KeyName=real"),
        *("--bootstrap-actions", "Path=s3://real/scripts/bootstrap.sh,Args=[hello]"),
        *("--configurations", json.dumps([{"Classification": "hdfs-site", "Properties": {"dfs.replication": "2"}}])),
        *(
            "--steps",
            "Type=CUSTOM_JAR,Name=first,ActionOnFailure=CONTINUE,Jar=command-runner.jar,Args=[hadoop,version]",
        ),
    )
    aws("wait", "cluster-running", "--cluster-id", made["ClusterId"])
    return made["ClusterId"]


@pytest.fixture(scope="module")
def master(cluster, emr):
    return emr.describe_cluster(ClusterId=cluster)["Cluster"]["MasterPublicDnsName"]


@pytest.fixture(scope="module")
def ssh(cluster):
    return partial(on_master, cluster)


@pytest.fixture(scope="module")
def step(cluster, emr):
    """Add a step and wait for its end; what DescribeStep tells then."""

    def run(*command: str, wait: bool = True, jar: str = "command-runner.jar") -> dict[str, Any]:
        work = {"Jar": jar, "Args": list(command)}
        asked = [{"Name": command[0], "ActionOnFailure": "CONTINUE", "HadoopJarStep": work}]
        (step_id,) = emr.add_job_flow_steps(JobFlowId=cluster, Steps=asked)["StepIds"]
        told = lambda: emr.describe_step(ClusterId=cluster, StepId=step_id)["Step"]  # noqa: E731
        if wait:
            until(lambda: told()["Status"]["State"] in OVER, 240)
        return told()

    return run


def log(s3, cluster, step_id, name="stderr"):
    key = f"logs/{cluster}/steps/{step_id}/{name}.gz"
    return gzip.decompress(s3.get_object(Bucket="real", Key=key)["Body"].read()).decode()


def test_it_has_the_asked_shape_and_its_bootstrap_action_ran(cluster, emr, s3, home):
    told = emr.describe_cluster(ClusterId=cluster)["Cluster"]
    assert told["Status"]["State"] in ("RUNNING", "WAITING")
    assert {one["Name"] for one in told["Applications"]} == {"Hadoop", "Spark"}
    groups = {one["InstanceGroupType"]: one for one in emr.list_instance_groups(ClusterId=cluster)["InstanceGroups"]}
    assert {role: one["RunningInstanceCount"] for role, one in groups.items()} == {"MASTER": 1, "CORE": 2}
    for node in emr.list_instances(ClusterId=cluster)["Instances"]:
        greeting = home.clusters / cluster / node["Ec2InstanceId"] / "home" / "hadoop" / "greeting.txt"
        assert greeting.read_text() == f"hello from {node['PrivateDnsName']}, one of the nodes\n"


def test_yarn_schedules_by_the_instance_types_figures(cluster, master):
    metrics = get(f"http://{master}:8088/ws/v1/cluster/metrics")["clusterMetrics"]
    assert (metrics["activeNodes"], metrics["totalMB"], metrics["totalVirtualCores"]) == (2, 2 * 12288, 8)


def test_fsck_shows_the_replicas_on_both_core_nodes(cluster, ssh, emr):
    ssh("echo some bytes > file && hdfs dfs -put -f file /tmp/file")
    said = ssh("hdfs fsck /tmp/file -files -blocks -locations")
    assert "Live_repl=2" in said
    cores = emr.list_instances(ClusterId=cluster, InstanceGroupTypes=["CORE"])["Instances"]
    assert {one["PrivateIpAddress"] for one in cores} == set(re.findall(r"\[(127\.[\d.]+):9866", said)) | set(
        re.findall(r",DatanodeInfoWithStorage\[(127\.[\d.]+):9866", said)
    )
    assert "is HEALTHY" in said


def test_a_spark_step_reads_s3_and_writes_parquet_to_s3(cluster, step, s3, master):
    done = step("spark-submit", "s3://real/scripts/delays.py", "s3://real/in/", "s3://real/out/")
    assert done["Status"]["State"] == "COMPLETED", log(s3, cluster, done["Id"])
    keys = [one["Key"] for one in s3.list_objects_v2(Bucket="real", Prefix="out/")["Contents"]]
    assert any(key.endswith(".parquet") for key in keys)
    assert log(s3, cluster, done["Id"], "stdout").startswith("work: ")
    apps = get(f"http://{master}:8088/ws/v1/cluster/apps")["apps"]["app"]
    assert ("Delays with Spark", "SPARK", "SUCCEEDED", "hadoop") in {
        (one["name"], one["applicationType"], one["finalStatus"], one["user"]) for one in apps
    }


def test_a_streaming_step_runs_python_mappers_and_reducers(cluster, step, s3):
    files = "s3://real/scripts/mapper.py,s3://real/scripts/reducer.py"
    done = step(
        *("hadoop-streaming", "-files", files, "-mapper", "mapper.py", "-reducer", "reducer.py"),
        *("-input", "s3://real/in/", "-output", "s3://real/streamed/"),
    )
    assert done["Status"]["State"] == "COMPLETED", log(s3, cluster, done["Id"])
    keys = [one["Key"] for one in s3.list_objects_v2(Bucket="real", Prefix="streamed/part")["Contents"]]
    text = "".join(s3.get_object(Bucket="real", Key=key)["Body"].read().decode() for key in keys)
    assert {line.split("\t")[0] for line in text.splitlines()} == {"AA", "UA"}


def test_a_jar_in_s3_runs_with_its_main_class(cluster, emr, s3, step, home, ssh):
    place = ssh("readlink -f $EMRLAB_NODE/usr/lib/hadoop-mapreduce/hadoop-mapreduce-examples.jar").strip()
    s3.upload_file(place, "real", "jars/examples.jar")
    done = step("pi", "2", "10", jar="s3://real/jars/examples.jar")
    assert done["Status"]["State"] == "COMPLETED", log(s3, cluster, done["Id"])
    assert "Estimated value of Pi is" in log(s3, cluster, done["Id"], "stdout")


def test_a_wrong_script_fails_with_its_error_in_the_log(cluster, step, s3):
    s3.put_object(Bucket="real", Key="scripts/wrong.py", Body=b"import sys\nraise SystemExit(undefined_name)\n")
    done = step("spark-submit", "s3://real/scripts/wrong.py")
    assert done["Status"]["State"] == "FAILED"
    details = done["Status"]["FailureDetails"]
    assert details["Message"] == "NameError: name 'undefined_name' is not defined"
    assert details["LogFile"] == f"s3://real/logs/{cluster}/steps/{done['Id']}/stdout.gz"
    assert "NameError" in log(s3, cluster, done["Id"], "stdout")


def test_eventbridge_tells_a_step_and_cloudtrail_who_added_it(cluster, aws_clients, step):
    sqs, bridge, trail = aws_clients("sqs"), aws_clients("events"), aws_clients("cloudtrail")
    queue = sqs.create_queue(QueueName="steps")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {"source": ["aws.emr"], "detail-type": ["EMR Step Status Change"], "detail": {"clusterId": [cluster]}}
    bridge.put_rule(Name="steps", EventPattern=json.dumps(pattern))
    bridge.put_targets(Rule="steps", Targets=[{"Id": "1", "Arn": arn}])
    made = step("true")
    found: list[dict[str, Any]] = []

    def over() -> bool:
        for one in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", []):
            found.append(json.loads(one["Body"])["detail"])
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=one["ReceiptHandle"])
        return any(one["state"] == "COMPLETED" for one in found)

    until(over)
    assert [(one["stepId"], one["state"]) for one in found] == [
        (made["Id"], state) for state in ("PENDING", "RUNNING", "COMPLETED")
    ]
    told = trail.lookup_events(LookupAttributes=[{"AttributeKey": "ResourceName", "AttributeValue": cluster}])["Events"]
    added = [json.loads(one["CloudTrailEvent"]) for one in told if one["EventName"] == "AddJobFlowSteps"]
    assert made["Id"] in [step_id for one in added for step_id in one["responseElements"]["stepIds"]]


def test_a_missing_output_bucket_fails_the_step_that_writes_there(cluster, step, s3):
    done = step("spark-submit", "s3://real/scripts/delays.py", "s3://real/in/", "s3://no-such-bucket-here/out/")
    assert done["Status"]["State"] == "FAILED"
    assert "no-such-bucket-here" in done["Status"]["FailureDetails"]["Message"]
    assert "no-such-bucket-here" in log(s3, cluster, done["Id"], "stdout")


def test_the_cli_adds_lists_describes_and_cancels_steps(cluster, emr):
    asked = "Type=CUSTOM_JAR,Name=sleep,ActionOnFailure=CONTINUE,Jar=command-runner.jar,Args=[sleep,200]"
    (running, pending) = aws("add-steps", "--cluster-id", cluster, "--steps", asked, asked)["StepIds"]
    until(lambda: emr.describe_step(ClusterId=cluster, StepId=running)["Step"]["Status"]["State"] == "RUNNING")
    told = aws("cancel-steps", "--cluster-id", cluster, "--step-ids", running, pending)["CancelStepsInfoList"]
    assert {one["Status"] for one in told} == {"SUBMITTED"}
    for step_id in (running, pending):
        until(
            lambda step_id=step_id: (
                aws("describe-step", "--cluster-id", cluster, "--step-id", step_id)["Step"]["Status"]["State"]
                == "CANCELLED"
            )
        )
    listed = aws("list-steps", "--cluster-id", cluster)["Steps"]
    assert [one["Id"] for one in listed[:2]] == [pending, running]  # newest first


def test_boto3s_own_waiters_work(cluster, emr):
    emr.get_waiter("cluster_running").wait(ClusterId=cluster, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    work = {"Jar": "command-runner.jar", "Args": ["true"]}
    asked = [{"Name": "t", "ActionOnFailure": "CONTINUE", "HadoopJarStep": work}]
    (step_id,) = emr.add_job_flow_steps(JobFlowId=cluster, Steps=asked)["StepIds"]
    emr.get_waiter("step_complete").wait(
        ClusterId=cluster, StepId=step_id, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )


def test_everything_listens_on_loopback_only(cluster, home):
    listening = [
        connection.laddr
        for process in owned(home)
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert len(listening) > 15
    assert [one for one in listening if not one.ip.removeprefix("::ffff:").startswith("127.")] == []


def test_an_interactive_shell_is_on_the_node(cluster, ssh):
    assert ssh("hostname; whoami; echo $HADOOP_CONF_DIR").splitlines()[0].startswith("ip-127-")
    assert "hdfs://" in ssh("hdfs getconf -confKey fs.defaultFS")


def over_ssh(what: str, cluster: str, key: Path, *more: str) -> list[str]:
    """``aws emr ssh``, ``put``, ``get`` or ``socks``. The port is that of users who may not have 22."""
    options = ("Port=2222", f"UserKnownHostsFile={key.parent}/known_hosts")
    return [AWS, "emr", what, "--cluster-id", cluster, "--key-pair-file", str(key), *more, "--ssh-options", *options]


@needs_ssh
def test_the_cli_s_put_ssh_and_get_reach_the_master_with_the_key_pair(cluster, key, tmp_path):
    def aws_emr(what: str, *more: str) -> str:
        command = over_ssh(what, cluster, key, *more)
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=200, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    (tmp_path / "words.txt").write_text("one two\nthree\n")
    aws_emr("put", "--src", str(tmp_path / "words.txt"), "--dest", "/home/hadoop/words.txt")
    said = aws_emr("ssh", "--command", "hostname && hdfs dfs -put words.txt /words && hdfs dfs -cat /words > back.txt")
    assert re.search(r"^ip-127-\d+-\d+-\d+\.ec2\.internal$", said, re.MULTILINE)
    aws_emr("get", "--src", "/home/hadoop/back.txt", "--dest", str(tmp_path / "back.txt"))
    assert (tmp_path / "back.txt").read_text() == "one two\nthree\n"


@needs_ssh
def test_the_cli_s_socks_proxy_shows_the_resource_manager_by_its_private_name(cluster, key, emr):
    if listening("127.0.0.1", SOCKS):
        pytest.skip(f"port {SOCKS}, which aws emr socks takes, is in use")
    (instance,) = emr.list_instances(ClusterId=cluster, InstanceGroupTypes=["MASTER"])["Instances"]
    proxy = subprocess.Popen(over_ssh("socks", cluster, key), stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        until(lambda: proxy.poll() is not None or listening("127.0.0.1", SOCKS))
        connection, reply = socks.connected(SOCKS, instance["PrivateDnsName"], 8088)
        with connection:
            assert reply == 0
            assert '"state":"STARTED"' in socks.fetched(connection, "/ws/v1/cluster/info")
    finally:
        os.killpg(proxy.pid, signal.SIGTERM)
        proxy.wait(30)


def test_a_spark_job_outlives_a_core_node_and_hdfs_is_whole_again(cluster, emr, step, master, s3, home):
    """Both core nodes hold each block; one of them dies, as a machine does, under a running job."""
    program = (
        "import time\nfrom pyspark.sql import SparkSession\nspark = SparkSession.builder.getOrCreate()\n"
        "def slow(number):\n    time.sleep(1)\n    return number\n"
        "print('sum', spark.sparkContext.parallelize(range(40), 40).map(slow).sum())\nspark.stop()\n"
    )
    s3.put_object(Bucket="real", Key="scripts/slow.py", Body=program.encode())
    running = step(
        *("spark-submit", "--conf", "spark.dynamicAllocation.enabled=false", "--num-executors", "2"),
        *("--executor-cores", "1", "--executor-memory", "1g", "s3://real/scripts/slow.py"),
        wait=False,
    )

    def executors() -> int:
        apps = (get(f"http://{master}:8088/ws/v1/cluster/apps?states=RUNNING")["apps"] or {}).get("app", [])
        return max((one["runningContainers"] for one in apps), default=0)

    until(lambda: executors() >= 3)
    cores = emr.list_instances(ClusterId=cluster, InstanceGroupTypes=["CORE"])["Instances"]
    folder = home.clusters / cluster
    masters = {
        (home.clusters / cluster / core["Ec2InstanceId"]): application_masters(folder / core["Ec2InstanceId"])
        for core in cores
    }
    victim = next(path for path, count in masters.items() if count == 0)  # the application master lives on the other
    kill_node(home, victim)
    until(lambda: state_of(emr, cluster, victim.name) == "TERMINATED")
    until(lambda: hdfs(master)["NumDeadDataNodes"] > 0)
    done = until(lambda: over(emr, cluster, running["Id"]), 240)
    assert done["Status"]["State"] == "COMPLETED", log(s3, cluster, running["Id"])
    assert log(s3, cluster, running["Id"], "stdout") == "sum 780\n"

    def running_cores() -> int:
        groups = emr.list_instance_groups(ClusterId=cluster)["InstanceGroups"]
        return next(one["RunningInstanceCount"] for one in groups if one["InstanceGroupType"] == "CORE")

    until(lambda: running_cores() == 2)  # it is replaced
    until(lambda: hdfs(master)["NumLiveDataNodes"] == 2 and hdfs(master)["UnderReplicatedBlocks"] == 0)


def application_masters(node: Path) -> int:
    count = 0
    for process in psutil.process_iter():
        try:
            count += process.environ().get("EMRLAB_NODE") == str(node) and "ExecutorLauncher" in " ".join(
                process.cmdline()
            )
        except (psutil.Error, OSError):
            continue
    return count


def state_of(emr, cluster, ec2):
    listed = emr.list_instances(ClusterId=cluster)["Instances"]
    return next(one["Status"]["State"] for one in listed if one["Ec2InstanceId"] == ec2)


def hdfs(master):
    return get(f"http://{master}:9870/jmx?qry=Hadoop:service=NameNode,name=FSNamesystem")["beans"][0]


def over(emr, cluster, step_id):
    told = emr.describe_step(ClusterId=cluster, StepId=step_id)["Step"]
    return told if told["Status"]["State"] in OVER else None


def test_terminated_it_leaves_its_logs_and_no_process(cluster, emr, s3, home):
    before = {process.pid for process in owned(home)}
    aws("terminate-clusters", "--cluster-ids", cluster)
    emr.get_waiter("cluster_terminated").wait(ClusterId=cluster, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    left = {process.pid for process in owned(home)}
    assert len(left) <= 2  # the region and its warden
    assert left < before
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket="real", Prefix=f"logs/{cluster}/")
    keys = {one["Key"].removeprefix(f"logs/{cluster}/") for page in pages for one in page["Contents"]}
    assert any(
        re.fullmatch(r"node/i-\w+/applications/hadoop-hdfs/hadoop-hadoop-namenode-.*\.log\.gz", key) for key in keys
    )
    assert any(re.fullmatch(r"node/i-\w+/bootstrap-actions/1/stdout\.gz", key) for key in keys)
    assert any(re.fullmatch(r"containers/application_\w+/container_\w+/stderr\.gz", key) for key in keys)
    folders = [path for path in Home(home.root).clusters.glob(f"{cluster}/i-*/mnt") if path.exists()]
    assert folders == []


def test_a_cluster_of_one_node_with_two_replicas_writes_and_says_what_is_missing(emr, s3):
    """EMR starts such a cluster; HDFS stores one replica and reports the other as missing."""
    made = emr.run_job_flow(
        Name="alone",
        ReleaseLabel="emr-7.9.0",
        Applications=[{"Name": "Hadoop"}],
        Instances={"InstanceCount": 1, "MasterInstanceType": "m5.xlarge", "KeepJobFlowAliveWhenNoSteps": True},
        Configurations=[{"Classification": "hdfs-site", "Properties": {"dfs.replication": "2"}}],
    )["JobFlowId"]
    until(lambda: emr.describe_cluster(ClusterId=made)["Cluster"]["Status"]["State"] == "WAITING")
    script = "echo x > f && hdfs dfs -put f /tmp/f && hdfs fsck /tmp/f"
    done = subprocess.run(
        [sys.executable, "-m", "emrlab", "ssh", made, script], capture_output=True, text=True, timeout=120, check=False
    )
    assert "Under replicated" in done.stdout, done.stdout + done.stderr
    emr.terminate_job_flows(JobFlowIds=[made])
    until(lambda: emr.describe_cluster(ClusterId=made)["Cluster"]["Status"]["State"] == "TERMINATED")
    assert os.environ["AWS_ENDPOINT_URL"].startswith("http://127.0.0.1:")
