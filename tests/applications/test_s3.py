"""``s3://`` from a cluster's commands."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.engine


def keys(bucket, prefix=""):
    """The names of its objects; markers of folders, which Hadoop leaves, are none."""
    return sorted(found.key for found in bucket.objects.filter(Prefix=prefix) if not found.key.endswith("/"))


def test_hadoop_fs_writes_lists_and_reads_s3(cluster, bucket):
    cluster.master.write("home/hadoop/poem.txt", "rose\n")
    cluster.run("hadoop", "fs", "-put", "poem.txt", f"s3://{bucket.name}/")
    assert keys(bucket) == ["poem.txt"]
    assert "poem.txt" in cluster.run("hadoop", "fs", "-ls", f"s3a://{bucket.name}/")
    assert cluster.run("hdfs", "dfs", "-cat", f"s3n://{bucket.name}/poem.txt") == "rose\n"


def test_a_bucket_that_is_not_there_is_named(cluster):
    said = cluster.run("hadoop", "fs", "-ls", "s3://lab-no-such-bucket/", status=1)
    assert "lab-no-such-bucket" in said


def test_s3_dist_cp_copies_both_ways(cluster, bucket):
    for name in ("a.csv", "deep/b.csv", "c.txt"):
        bucket.put_object(Key=f"from/{name}", Body=name.encode())
    cluster.run("s3-dist-cp", "--src", f"s3://{bucket.name}/from", "--dest", "hdfs:///dist-cp")
    assert cluster.run("hdfs", "dfs", "-cat", "/dist-cp/deep/b.csv") == "deep/b.csv"
    cluster.run("s3-dist-cp", "--src", "hdfs:///dist-cp", "--dest", f"s3://{bucket.name}/to", "--srcPattern=.*\\.txt")
    assert keys(bucket, "to/") == ["to/c.txt"]
    assert bucket.Object("to/c.txt").get()["Body"].read() == b"c.txt"


def test_s3_dist_cp_refuses_what_it_cannot_do(cluster):
    said = cluster.run("s3-dist-cp", "--src", "/a", "--dest", "/b", "--groupBy", ".*", status=2)
    assert "--groupBy is not emulated here" in said


def test_the_aws_command_uses_the_same_buckets(cluster, bucket):
    bucket.put_object(Key="here", Body=b"1")
    assert "here" in cluster.run("aws", "s3", "ls", f"s3://{bucket.name}/")
