"""What is written for applications, without starting any: settings, sites, files, the wrapper of java, commands."""

from __future__ import annotations

import subprocess
from xml.etree import ElementTree

import pytest

from emrlab.applications import catalogue, commands, files, hadoop_sites, resolve, s3, spark
from emrlab.applications.application import Member, Site, merged
from emrlab.errors import LabError
from emrlab.nodes.node import Node

from .conftest import capacity


def member(folder, role, number=10, instance_type="m5.xlarge", configurations=()):
    address = f"127.77.0.{number}"
    node = Node(folder / str(number), address, f"ip-127-77-0-{number}.ec2.internal", "mark")
    return Member(node, role, capacity(instance_type), merged(configurations))


@pytest.fixture
def site(tmp_path):
    members = [member(tmp_path, "MASTER"), member(tmp_path, "CORE", 11), member(tmp_path, "CORE", 12)]
    return Site(members, ("Hadoop", "Spark"), "http://127.0.0.1:4510", "us-east-1", ("test", "test"))


def properties(file):
    return {one.findtext("name"): one.findtext("value") for one in ElementTree.parse(file).iter("property")}


# Configurations


def test_nested_configurations_are_flattened_and_win_over_the_clusters():
    group = [
        {
            "Classification": "hadoop-env",
            "Configurations": [{"Classification": "export", "Properties": {"A": "2"}}],
        },
        {"Classification": "core-site", "Properties": {"x": "1", "y": True}},
    ]
    cluster = merged([{"Classification": "core-site", "Properties": {"x": "0", "z": "0"}}])
    assert merged(group, cluster) == {
        "hadoop-env": {},
        "hadoop-env.export": {"A": "2"},
        "core-site": {"x": "1", "y": "true", "z": "0"},
    }
    assert cluster == {"core-site": {"x": "0", "z": "0"}}


def test_exports_of_several_files_are_one_environment(tmp_path):
    one = member(tmp_path, "CORE", configurations=[])
    one.settings = {"hadoop-env.export": {"A": "1", "B": "1"}, "yarn-env.export": {"B": "2"}}
    assert one.exports("hadoop-env", "hdfs-env", "yarn-env") == {"A": "1", "B": "2"}


def test_variables_may_name_others_and_themselves():
    assert files.expanded({"A": '"$A:more"', "B": "${A}!", "C": "$unknown"}, {"A": "first"}) == {
        "A": "first:more",
        "B": "first:more!",
        "C": "$unknown",
    }


def test_site_files_are_xml_whatever_the_values(tmp_path):
    one = member(tmp_path, "CORE")
    files.site_xml(one.node, "x-site.xml", {"a": "<&>\"'", "b": True, "c": 7, "d": one.node.path("mnt")})
    assert properties(one.node.path(files.CONF, "x-site.xml")) == {
        "a": "<&>\"'",
        "b": "true",
        "c": "7",
        "d": str(one.node.path("mnt")),
    }


# Names


def test_applications_are_found_in_any_case_with_what_they_stand_on():
    assert [one.name for one in resolve(["spark"])] == ["Hadoop", "Spark"]
    assert [one.name for one in resolve([])] == ["Hadoop"]


def test_an_unknown_application_is_an_error_that_names_the_known_ones():
    with pytest.raises(LabError, match=r"no application 'Hue'.*Hadoop, Spark"):
        resolve(["Hue"])


def test_every_application_says_its_version_and_its_classifications():
    for name, one in catalogue().items():
        assert one.name == name
        assert one.version[0].isdigit()
        assert all(lock.is_file() for lock in (*one.locks, *one.extras))
    assert "yarn-site" in catalogue()["Hadoop"].classifications
    assert {"spark", "spark-defaults"} <= catalogue()["Spark"].classifications


# Hadoop's sites


@pytest.mark.parametrize(("nodes", "replicas"), [(1, 1), (3, 1), (4, 2), (9, 2), (10, 3)])
def test_replication_follows_the_number_of_core_nodes(nodes, replicas):
    assert hadoop_sites.replication(nodes) == replicas


def test_yarn_has_the_figures_of_the_instance_type(site):
    hadoop_sites.write(site, site.members[1])
    found = properties(site.members[1].node.path(files.CONF, "yarn-site.xml"))
    assert found["yarn.nodemanager.resource.memory-mb"] == "12288"
    assert found["yarn.nodemanager.resource.cpu-vcores"] == "4"


def test_paths_in_sites_lie_on_the_node(site):
    one = site.members[1]
    hadoop_sites.write(site, one)
    for name in ("core-site", "hdfs-site", "yarn-site"):
        for key, value in properties(one.node.path(files.CONF, f"{name}.xml")).items():
            local = value.removeprefix("file://")
            if local.startswith("/") and "/tmp/" in local and not local.startswith("/tmp/hadoop-yarn"):
                assert local.startswith(str(one.node.folder.parent)), key


def test_configurations_win_over_additions_and_additions_over_defaults(site):
    site.additions = {"yarn-site": {"yarn.nodemanager.aux-services": "added", "both": "added"}}
    one = site.members[1]
    one.settings = {"yarn-site": {"both": "theirs"}}
    hadoop_sites.write(site, one)
    found = properties(one.node.path(files.CONF, "yarn-site.xml"))
    assert (found["yarn.nodemanager.aux-services"], found["both"]) == ("added", "theirs")


def test_all_nodes_know_all_names(site):
    for one in site.members:
        hadoop_sites.hosts(site, one)
        text = one.node.path("etc/hosts").read_text()
        assert all(f"{other.node.address} {other.node.name}\n" in text for other in site.members)


def test_a_written_list_of_excluded_nodes_is_kept(site):
    master = site.master
    hadoop_sites.write(site, master)
    master.node.write(f"{files.CONF}/dfs.exclude", "ip-127-77-0-12.ec2.internal\n")
    hadoop_sites.write(site, master)
    assert master.node.path(files.CONF, "dfs.exclude").read_text() == "ip-127-77-0-12.ec2.internal\n"


def test_s3a_signs_with_the_keys_or_as_the_nodes_role(site):
    assert s3.core_site(site)["fs.s3a.access.key"] == "test"
    site.keys = None
    found = s3.core_site(site)
    assert str(found["fs.s3a.aws.credentials.provider"]).endswith(".InstanceProfileCredentialsProvider")
    assert not [name for name in found if name.endswith((".access.key", ".secret.key"))]


def test_one_node_is_master_and_worker(tmp_path):
    only = Site([member(tmp_path, "MASTER")], ("Hadoop",), "", "us-east-1", ("", ""))
    assert only.workers == [only.master]
    assert only.runs(only.master, "CORE")
    assert only.runs(only.master, "TASK")


def test_a_task_node_stores_no_blocks(site, tmp_path):
    site.members.append(member(tmp_path, "TASK", 13))
    assert not site.runs(site.members[-1], "CORE")
    assert not site.runs(site.master, "CORE")


# Spark's figures


def test_an_executor_is_as_emr_sizes_it_on_an_m5_xlarge(site):
    found = spark.spark_defaults(site)
    assert (found["spark.executor.cores"], found["spark.executor.memory"]) == (4, "9486M")


def test_maximized_executors_take_whole_nodes(tmp_path):
    members = [member(tmp_path, "MASTER"), *(member(tmp_path, "CORE", n, "m5.4xlarge") for n in (11, 12))]
    site = Site(members, ("Spark",), "", "us-east-1", ("", ""))
    found = spark.maximized(site, {})
    whole = capacity("m5.4xlarge")
    assert found["spark.executor.cores"] == 16
    assert int(str(found["spark.executor.memory"])[:-1]) * (1 + spark.OVERHEAD) <= whole.yarn_mb
    assert found["spark.executor.instances"] == 2
    assert found["spark.default.parallelism"] == 2 * 32
    assert found["spark.driver.memory"] == "9486M"  # the master is the smaller one


def test_maximized_leaves_the_number_of_executors_to_asked_for_dynamic_allocation(site):
    assert "spark.executor.instances" not in spark.maximized(site, {"spark.dynamicAllocation.enabled": "true"})


# The wrapper of java


@pytest.fixture
def wrapper(tmp_path):
    """``wrapper(*arguments)``: the arguments that the real java would get."""
    text = (commands.HERE / "java.sh").read_text()
    echo = tmp_path / "echo-java"
    echo.write_text('#!/bin/bash\nprintf "%s\\n" "$@"\n')
    echo.chmod(0o755)
    values = {
        "JAVA": str(echo),
        "NODE": "/node",
        "ADDRESS": "127.77.0.10",
        "HEAP": "512",
        "HADOOP_JARS": "/h/a.jar:/h/b.jar",
        "SPARK_JARS": "/s/c.jar",
        "SPARK_HOME": "/s",
        "HADOOP_SHARING": "-XX:SharedArchiveFile=hadoop",
        "SPARK_SHARING": "-XX:SharedArchiveFile=spark",
        "ON_NODE": "-Don.node",
    }
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    script = tmp_path / "java"
    script.write_text(text)
    script.chmod(0o755)

    def run(*arguments, **env):
        said = subprocess.run([script, *arguments], capture_output=True, text=True, check=True, env=env)
        return said.stdout.splitlines()

    return run


def test_jars_come_first_and_folders_last_so_that_the_archive_fits(wrapper):
    said = wrapper("-cp", "/job/conf:/node/usr/lib/hadoop/*:/more.jar", "org.apache.hadoop.fs.FsShell", "-ls", "a b")
    assert said[said.index("-cp") + 1] == "/h/a.jar:/h/b.jar:/more.jar:/node/etc/hadoop/conf:/job/conf"
    assert "-XX:SharedArchiveFile=hadoop" in said
    assert said[-3:] == ["org.apache.hadoop.fs.FsShell", "-ls", "a b"]


def test_spark_gets_its_own_archive(wrapper):
    said = wrapper("-cp", "/conf:/s/jars/*", "org.apache.spark.deploy.SparkSubmit")
    assert said[said.index("-cp") + 1].startswith("/s/c.jar:")
    assert "-XX:SharedArchiveFile=spark" in said


@pytest.mark.parametrize(
    ("asked", "given"),
    [("9486m", "512m"), ("64g", "512m"), ("256M", "256m"), ("131072k", "128m"), ("268435456", "256m")],
)
def test_heaps_are_no_larger_than_the_machine_allows(wrapper, asked, given):
    said = wrapper(f"-Xmx{asked}", f"-Xms{asked}", "-cp", "/a.jar", "Main")
    assert f"-Xmx{given}" in said
    assert f"-Xms{asked}" not in said


def test_temporary_files_lie_on_the_node_unless_the_caller_names_a_folder(wrapper):
    said = wrapper("-Djava.io.tmpdir=/container/tmp", "-cp", "/a.jar", "Main")
    own, theirs = said.index("-Djava.io.tmpdir=/node/mnt/tmp"), said.index("-Djava.io.tmpdir=/container/tmp")
    assert own < theirs
    assert "-Duser.home=/node/home/hadoop" in said


def test_the_node_of_the_environment_wins(wrapper):
    said = wrapper("-cp", "/a.jar", "Main", EMRLAB_NODE="/other", EMRLAB_NODE_IP="127.77.0.11")
    assert "-Dlab.ip=127.77.0.11" in said
    assert "-Djdk.net.hosts.file=/other/etc/hosts" in said


def test_a_jar_of_somebodys_own_is_run_without_an_archive(wrapper):
    said = wrapper("-jar", "/own.jar", "x")
    assert not any("SharedArchiveFile" in one for one in said)
    assert said[-3:] == ["-jar", "/own.jar", "x"]


def test_asking_for_the_version_writes_no_performance_data(wrapper):
    assert wrapper("-version") == ["-XX:-UsePerfData", "-version"]


# Commands


@pytest.fixture
def node(tmp_path):
    made = member(tmp_path, "MASTER").node
    made.make()
    commands.system(made)
    commands.hadoop(made)
    return made


def run(node, *command):
    process = node.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return process.communicate(timeout=30)[0], process.returncode


def test_a_node_knows_its_own_name(node):
    assert run(node, "hostname", "-f") == (f"{node.name}\n", 0)


def test_sudo_runs_the_command_as_the_one_user(node):
    assert run(node, "sudo", "-u", "hadoop", "echo", "done") == ("done\n", 0)


@pytest.mark.parametrize("name", ["shutdown", "poweroff", "halt", "reboot"])
def test_shutdown_ends_the_node_not_the_machine(node, name):
    daemon = node.run(["sleep", "300"])
    try:
        assert run(node, "bash", "-c", f"command -v {name}") == (f"{node.path('usr/bin', name)}\n", 0)
        node.run(["sudo", "-n", f"/nowhere/{name}", "-h", "now"]).wait(20)  # harmless where the node does not know it
        assert daemon.wait(20) < 0
        assert not node.processes()
    finally:
        node.stop(0)


def test_unknown_subcommands_end_with_status_2_and_the_known_ones(node):
    node.write("etc/hadoop/conf/hadoop-env.sh", "")
    for name in ("hadoop", "hdfs", "yarn", "mapred"):
        said, status = run(node, name, "nonsense")
        assert status == 2
        assert f"{name}: 'nonsense' is not a subcommand here" in said
