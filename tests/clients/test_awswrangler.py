"""``awswrangler.emr``: a cluster of fleets with all that ``create_cluster`` asks for, steps of each kind, its end."""

from __future__ import annotations

import time

import boto3
import pytest

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]
JOB = """\
import sys
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
spark.range(10).write.parquet(sys.argv[1])
print("rows", spark.read.parquet(sys.argv[1]).count())
"""
OVER = ("COMPLETED", "FAILED", "CANCELLED", "INTERRUPTED")


@pytest.fixture(scope="module")
def wr(region):
    """``awswrangler.emr`` with a session of this region's."""
    import awswrangler

    return awswrangler.emr


@pytest.fixture(scope="module")
def session(region):
    return boto3.session.Session()


def until(look, *wanted):
    deadline = time.monotonic() + 240
    while (found := look()) not in wanted:
        assert time.monotonic() < deadline, found
        time.sleep(0.2)
    return found


@pytest.fixture(scope="module")
def cluster(wr, session, s3):
    s3.create_bucket(Bucket="wrangled")
    s3.put_object(Bucket="wrangled", Key="job.py", Body=JOB.encode())
    s3.put_object(Bucket="wrangled", Key="boot.sh", Body=b"#!/bin/bash\necho booted > ~/booted\n")
    ec2 = session.client("ec2")
    subnet = ec2.describe_subnets()["Subnets"][0]
    groups = [
        ec2.create_security_group(GroupName=name, Description=name, VpcId=subnet["VpcId"])["GroupId"]
        for name in ("master", "slave", "more")
    ]
    ec2.create_key_pair(KeyName="wrangler")
    made = wr.create_cluster(
        subnet_id=subnet["SubnetId"],
        cluster_name="wrangler",
        logging_s3_path="s3://wrangled/logs/",
        emr_release="emr-7.9.0",
        instance_type_master="m5.xlarge",
        # Without Hive, Presto and Glue's catalog, which it would configure.
        spark_glue_catalog=False,
        hive_glue_catalog=False,
        presto_glue_catalog=False,
        bootstraps_paths=["s3://wrangled/boot.sh"],
        applications=["Hadoop", "Spark"],
        key_pair_name="wrangler",
        security_group_master=groups[0],
        security_groups_master_additional=groups[2:],
        security_group_slave=groups[1],
        security_groups_slave_additional=groups[2:],
        spark_jars_path=None,
        spark_defaults={"spark.ui.enabled": "true"},
        maximize_resource_allocation=True,
        steps=[wr.build_step("cat booted", name="first", action_on_failure="CONTINUE")],
        auto_termination_policy={"IdleTimeout": 3600},
        tags={"made": "by awswrangler"},
        boto3_session=session,
    )
    until(lambda: wr.get_cluster_state(made, boto3_session=session), "WAITING", "TERMINATED_WITH_ERRORS")
    return made


def test_it_is_what_was_asked_for(cluster, emr):
    told = emr.describe_cluster(ClusterId=cluster)["Cluster"]
    assert told["Status"]["State"] == "WAITING"
    assert told["InstanceCollectionType"] == "INSTANCE_FLEET"
    assert told["Tags"] == [{"Key": "made", "Value": "by awswrangler"}]
    assert told["Ec2InstanceAttributes"]["Ec2KeyName"] == "wrangler"
    (fleet,) = emr.list_instance_fleets(ClusterId=cluster)["InstanceFleets"]
    assert (fleet["InstanceFleetType"], fleet["ProvisionedOnDemandCapacity"]) == ("MASTER", 1)
    # awswrangler sets up EMR's debugging tool first, in a step that would end the cluster.
    steps = {step["Name"]: step["Status"]["State"] for step in emr.list_steps(ClusterId=cluster)["Steps"]}
    assert steps["Setup Hadoop Debugging"] == "COMPLETED"


def test_steps_are_submitted_and_told(cluster, wr, session, s3):
    job = {"path": "s3://wrangled/job.py", "deploy_mode": "client"}
    ids = [
        wr.submit_step(cluster, "hadoop version", name="one", boto3_session=session),
        wr.submit_spark_step(cluster, args=["s3://wrangled/rows/"], boto3_session=session, **job),
        *wr.submit_steps(
            cluster,
            [wr.build_step("true", name="more"), wr.build_step("false", name="wrong")],
            boto3_session=session,
        ),
    ]
    states = [until(lambda step=step: wr.get_step_state(cluster, step, boto3_session=session), *OVER) for step in ids]
    assert states == ["COMPLETED", "COMPLETED", "COMPLETED", "FAILED"]
    assert s3.list_objects_v2(Bucket="wrangled", Prefix="rows/part-")["KeyCount"] > 0


def test_it_is_terminated(cluster, wr, session):
    wr.terminate_cluster(cluster, boto3_session=session)
    until(lambda: wr.get_cluster_state(cluster, boto3_session=session), "TERMINATED")
