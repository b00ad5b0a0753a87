"""An open lab without a region: S3 and EMR are moto's, in this process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws

from emrlab.course.definition import Definition, Exercise, NotYet
from emrlab.course.lab import Lab
from emrlab.course.state import State
from emrlab.region import control

BUCKET = "emrlab-9-9-123456789012"


def has_object(state: State) -> str:
    if not state.keys("answer"):
        raise NotYet("I see no object 'answer'. I expected one: put it there.")
    return "There it is."


DEFINITION = Definition(
    "9.9",
    "A test",
    5,
    ("be sure",),
    (
        Exercise("put", "Put an object", has_object, "put('answer')\n", ("Use put.", "Write 'answer'.")),
        Exercise("bare", "No hints", has_object, "____"),
    ),
)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home; no settings of the caller's."""
    monkeypatch.setenv("EMRLAB_HOME", str(tmp_path / "home"))
    for name in ("EMRLAB_SOLVE", "EMRLAB_RESULTS", "EMRLAB_LIVE"):
        monkeypatch.delenv(name, raising=False)
    return (tmp_path / "home").resolve()


@pytest.fixture
def region(place: Path) -> control.Region:
    return control.Region("http://127.0.0.1:1", 1, 2, "123456789012", "us-east-1", place, "now")


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        yield


@pytest.fixture
def lab(aws: None, region: control.Region) -> Lab:
    opened = Lab(DEFINITION, region)
    opened.make_bucket()
    return opened


def launch(lab: Any, log_uri: str = "", keep: bool = True, name: str = "first", **more: Any) -> str:
    """A cluster of moto's: it waits at once."""
    answer = lab.emr.run_job_flow(
        Name=name,
        ReleaseLabel="emr-7.9.0",
        LogUri=log_uri or f"s3://{lab.bucket}/logs/",
        Applications=[{"Name": "Hadoop"}, {"Name": "Spark"}],
        Instances={
            "InstanceGroups": [
                {"InstanceRole": "MASTER", "InstanceType": "m5.xlarge", "InstanceCount": 1},
                {"InstanceRole": "CORE", "InstanceType": "m5.xlarge", "InstanceCount": 2},
            ],
            "KeepJobFlowAliveWhenNoSteps": keep,
        },
        JobFlowRole="EMR_EC2_DefaultRole",
        ServiceRole="EMR_DefaultRole",
        **more,
    )
    return str(answer["JobFlowId"])
