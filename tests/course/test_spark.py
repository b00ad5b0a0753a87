"""A notebook's process on a node: the node's engines, but its own credentials."""

from __future__ import annotations

import os

from emrlab.course import spark


def test_a_notebook_on_a_node_asks_aws_as_before(monkeypatch, tmp_path):
    (tmp_path / "python").mkdir()
    monkeypatch.setattr(os, "environ", {"AWS_ACCESS_KEY_ID": "test", "HOME": "/home/me", "PATH": "/bin"})
    monkeypatch.setattr("sys.path", [])
    spark.apply(
        {
            "AWS_ACCESS_KEY_ID": "",
            "AWS_SHARED_CREDENTIALS_FILE": "/node/home/hadoop/.aws/credentials",
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.64.0.10:1338",
            "HOME": "/node/home/hadoop",
            "SPARK_HOME": str(tmp_path),
        }
    )
    assert os.environ["AWS_ACCESS_KEY_ID"] == "test"
    assert "AWS_SHARED_CREDENTIALS_FILE" not in os.environ
    assert os.environ["HOME"] == "/home/me"
    # What Spark's driver reads S3 with.
    assert os.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"] == "http://127.64.0.10:1338"
