"""Airflow's EMR operators and sensors, in an environment of their own, from a DAG without a ``LogUri``."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.clients.environments import interpreter

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]
DAG = Path(__file__).with_name("airflow_dag.py")


@pytest.fixture
def airflow(region, tmp_path):
    """Run a program of Airflow's environment on a metadata database of its own; its standard output."""
    python = interpreter("airflow")
    (tmp_path / "dags").mkdir()
    shutil.copy(DAG, tmp_path / "dags")
    reached = {"endpoint_url": region.endpoint, "region_name": region.name}
    settings = {
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(tmp_path / "dags"),
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "AIRFLOW_CONN_AWS_DEFAULT": json.dumps({"conn_type": "aws", "extra": reached}),
        "AIRFLOW_CONN_EMR_DEFAULT": json.dumps({"conn_type": "emr"}),
    }

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [str(python), *arguments],
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
            cwd=tmp_path,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_a_dag_creates_a_cluster_adds_a_step_waits_and_terminates(airflow, emr):
    airflow("-m", "airflow", "db", "migrate")
    told = json.loads(airflow(f"dags/{DAG.name}").splitlines()[-1])
    assert told["run"] == "success", told
    assert set(told["tasks"].values()) == {"success"}, told
    cluster, (step,) = told["create"], told["add_steps"]
    assert emr.describe_cluster(ClusterId=cluster)["Cluster"]["Status"]["State"] == "TERMINATED"
    assert emr.describe_step(ClusterId=cluster, StepId=step)["Step"]["Status"]["State"] == "COMPLETED"
