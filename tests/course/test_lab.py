from __future__ import annotations

import csv
import os

import pytest

import emrlab
from emrlab import profile
from emrlab.course import definition, spark
from emrlab.course.lab import use
from emrlab.errors import LabError
from emrlab.region import control
from tests.course.conftest import BUCKET, launch


def test_an_unknown_lab_names_the_known_ones():
    with pytest.raises(LabError, match=r"1\.1"):
        emrlab.lab("99.9")


def test_a_module_without_a_lab_says_what_to_add(tmp_path):
    (tmp_path / "lab_9_9.py").write_text("x = 1")
    with pytest.raises(LabError, match="Add: LAB"):
        definition.load(tmp_path / "lab_9_9.py")


def test_opening_starts_a_region_and_shows_the_card(aws, region, monkeypatch, capsys, tmp_path):
    started = []
    monkeypatch.setattr(control, "status", lambda home=None: None)
    monkeypatch.setattr(control, "up", lambda progress=None: started.append(progress("Starting …")) or region)
    monkeypatch.setattr(control, "environment", lambda region: {"AWS_REGION": "us-east-1"})
    opened = emrlab.lab("1.1")
    assert len(started) == 1
    out = capsys.readouterr().out
    assert "Lab 1.1: Your first cluster" in out
    assert "0 of 4 exercises solved" in out
    assert opened.bucket == "emrlab-1-1-123456789012"
    assert repr(opened) == "Lab 1.1: Your first cluster"


def test_opening_twice_keeps_the_bucket(lab):
    lab.s3.put_object(Bucket=lab.bucket, Key="mine")
    lab.make_bucket()
    assert lab.state().keys("") == ["mine"]


def test_this_process_is_pointed_at_the_region(region, monkeypatch):
    monkeypatch.setattr(os, "environ", dict(os.environ, PATH="/usr/bin"))
    use(region)
    assert os.environ["AWS_ENDPOINT_URL"] == region.endpoint
    assert os.environ["PATH"].endswith(":/usr/bin")


def test_the_bucket_holds_what_is_put_and_gives_it_back(lab, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.py").write_text("print()")
    assert lab.put("a.py") == {"a.py": f"s3://{BUCKET}/scripts/a.py"}
    assert lab.read(f"s3://{BUCKET}/scripts/a.py") == "print()"
    with pytest.raises(LabError, match=r"no file b\.py"):
        lab.put("b.py")
    with pytest.raises(LabError, match="begins with s3://"):
        lab.read("s3://elsewhere/a.py")


def test_emptying_leaves_neighbours_alone(lab):
    for key in ("out/a", "out/b/c", "outer/d"):
        lab.s3.put_object(Bucket=lab.bucket, Key=key)
    assert lab.empty("out") == f"s3://{BUCKET}/out/"
    assert lab.state().keys("") == ["outer/d"]


def test_rows_come_from_parquet_and_from_text(lab, tmp_path):
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.table({"a": [1, 2]}), tmp_path / "x.parquet")
    lab.s3.upload_file(str(tmp_path / "x.parquet"), lab.bucket, "p/part-0.parquet")
    lab.s3.put_object(Bucket=lab.bucket, Key="p/_SUCCESS")
    lab.s3.put_object(Bucket=lab.bucket, Key="t/part-00000", Body=b"UA\t12.1\nAA\t8.6\n")
    assert lab.rows(f"s3://{BUCKET}/p/") == [{"a": 1}, {"a": 2}]
    assert lab.rows("t/")[1] == {"key": "AA", "value": "8.6"}
    with pytest.raises(LabError, match="Run the step"):
        lab.rows("nothing/")


def test_the_labs_cluster_is_found_again_and_others_are_not_taken_for_it(lab):
    with pytest.raises(LabError, match="exercise 'put'"):
        lab.cluster()
    launch(lab, log_uri="s3://other/logs/", name="another")
    mine = launch(lab)
    assert lab.cluster() == mine
    lab.emr.terminate_job_flows(JobFlowIds=[mine])
    with pytest.raises(LabError, match="is TERMINATED"):
        lab.cluster()


def test_an_unknown_cluster_is_explained(lab):
    with pytest.raises(LabError, match="EMR says"):
        lab.watch("j-NOTTHERE")


def test_closing_terminates_what_lives_and_shows_the_bill(lab, capsys):
    mine = launch(lab)
    lab.emr.set_termination_protection(JobFlowIds=[mine], TerminationProtected=True)
    lab.close()
    assert lab.emr.describe_cluster(ClusterId=mine)["Cluster"]["Status"]["State"] == "TERMINATED"
    out = capsys.readouterr().out
    assert "Lab 9.9 is closed" in out
    assert "would have cost about $" in out


def test_closing_twice_is_harmless(lab):
    lab.close()
    lab.close()


def test_parameters_reach_the_checks(lab, capsys):
    lab.parameters(core_nodes=lab.Whole("Core nodes", 1, 4, 3))
    assert lab.state().parameters == {"core_nodes": 3}
    assert "Core nodes: 3" in capsys.readouterr().out


def test_only_supported_types_with_a_price_are_offered(lab, monkeypatch):
    told = {"SupportedInstanceTypes": [{"Type": "m5.xlarge"}, {"Type": "p9.huge"}]}
    lab.__dict__["emr"] = type("Emr", (), {"list_supported_instance_types": lambda self, **_: told})()
    assert lab.instance_types() == ["m5.xlarge"]


@pytest.mark.parametrize(("gib", "nodes"), [(1, 1), (2, 1), (4, 2), (16, 2)])
def test_little_memory_means_few_nodes(lab, monkeypatch, gib, nodes):
    monkeypatch.setattr(profile, "memory", lambda: gib * 2**30)
    assert lab.room_for(2) == nodes


def test_an_unknown_data_set_names_the_known_one(lab):
    with pytest.raises(LabError, match="flights"):
        lab.data("trains")


def test_the_flights_are_real_and_uploaded_once(lab, tmp_path, monkeypatch):
    monkeypatch.setenv("EMRLAB_CACHE", str(tmp_path / "cache"))
    flights = lab.data("flights")
    assert flights.csv == f"s3://{BUCKET}/data/flights/csv/"
    body = lab.s3.get_object(Bucket=BUCKET, Key="data/flights/csv/flights.csv")["Body"].read().decode()
    rows = list(csv.DictReader(body.splitlines()))
    assert len(rows) == flights.rows == 336_776
    assert sum(row["carrier"] == "UA" for row in rows) == 58_665
    before = lab.s3.list_objects_v2(Bucket=BUCKET)["Contents"]
    lab.data("flights")
    assert lab.s3.list_objects_v2(Bucket=BUCKET)["Contents"] == before
    names = {one["Key"].rpartition("/")[2] for one in before}
    assert names == {"flights.csv", "flights.parquet", "airlines.csv"}


def test_a_conversion_that_fails_leaves_nothing_half_made(tmp_path):
    from emrlab.course import data

    (tmp_path / "source").mkdir()
    with pytest.raises(LabError, match="could not be prepared"):
        data.make(tmp_path / "source", tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]


def test_spark_needs_a_running_cluster_with_spark(lab):
    mine = launch(lab)
    lab.emr.terminate_job_flows(JobFlowIds=[mine])
    with pytest.raises(LabError, match="is TERMINATED: Spark needs a running one"):
        lab.spark(mine)


def test_spark_says_when_the_node_is_elsewhere(lab, monkeypatch):
    mine = launch(lab)
    instances = {"Instances": [{"Ec2InstanceId": "i-1", "Status": {"State": "RUNNING"}}]}
    monkeypatch.setattr(lab.emr, "list_instances", lambda **_: instances)
    with pytest.raises(LabError, match="EMRLAB_HOME"):
        lab.spark(mine)


def test_the_masters_environment_is_read(lab, place, monkeypatch):
    folder = place / "clusters" / "j-1" / "i-1" / "etc"
    folder.mkdir(parents=True)
    (folder / "environment").write_text('# login\nSPARK_HOME=/x/spark\n\nJAVA_OPTS="-Xa=b"\n')
    instances = {"Instances": [{"Ec2InstanceId": "i-1", "Status": {"State": "RUNNING"}}]}
    monkeypatch.setattr(lab.emr, "list_instances", lambda **_: instances)
    from emrlab.home import home

    assert spark.environment(home(), lab.emr, "j-1") == {"SPARK_HOME": "/x/spark", "JAVA_OPTS": "-Xa=b"}


def test_a_node_without_spark_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "environ", dict(os.environ))
    with pytest.raises(LabError, match="SPARK_HOME"):
        spark.apply({"SPARK_HOME": str(tmp_path)})


def test_stopping_spark_that_never_was_is_harmless(monkeypatch):
    monkeypatch.delitem(__import__("sys").modules, "pyspark", raising=False)
    assert spark.stop() is False


def test_opening_a_lab_needs_none_of_the_heavy_libraries():
    import subprocess
    import sys

    heavy = ("pandas", "matplotlib", "pyspark", "pyarrow", "anywidget")
    code = f"import sys, emrlab.course.lab; print([one for one in {heavy} if one in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
