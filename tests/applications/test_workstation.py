"""Spark without a cluster: a learner's own place, with ``s3://`` and everything written inside it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from emrlab.home import Home
from emrlab.nodes.waiting import until

PROGRAM = """\
from emrlab.course import spark
from emrlab.home import home
session = spark.local(home(), "test")
session.range(10).write.mode("overwrite").parquet("s3://workstation/numbers")
print("sum", session.read.parquet("s3://workstation/numbers").selectExpr("sum(id)").first()[0])
session.range(1).write.saveAsTable("kept")
print("rows", session.table("kept").count())
print("stopped", spark.stop())
"""


@pytest.mark.engine
def test_it_reads_and_writes_s3_and_nothing_beside_itself(home: Home, aws, tmp_path: Path):
    aws("s3").create_bucket(Bucket="workstation")
    environment = home.root / "workstation" / "etc" / "environment"
    assert until(environment.is_file, 60)  # the region makes it as soon as Spark is here
    root = {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, **root},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.stdout.split() == ["sum", "45", "rows", "1", "stopped", "True"], done.stderr
    assert list(tmp_path.iterdir()) == []  # no spark-warehouse, no metastore_db, where the notebook happens to be
    assert (home.root / "workstation" / "mnt" / "warehouse" / "kept").is_dir()
