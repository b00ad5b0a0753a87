"""A cluster's costs at the region's control path."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from emrlab.emr.history import History
from emrlab.emr.records import Cluster, Instance
from emrlab.region.control import COSTS


@pytest.fixture
def costly(emr: Any, tmp_path: Path) -> Any:
    """An EMR that remembers one cluster of one instance, an hour old."""
    emr.history = History(tmp_path / "emr.sqlite")
    begun = time.time() - 3600
    cluster = Cluster(
        id="j-1", cluster="j-1", state="WAITING", account="123456789012", region="us-east-1", name="dear",
        release="emr-7.9.0", applications=[], keep_alive=True, protected=False, created=begun,
    )  # fmt: skip
    node = Instance(
        id="ci-1", cluster="j-1", state="RUNNING", group="ig-1", ec2="i-1", instance_type="m5.xlarge", created=begun
    )
    emr.history.add(cluster, node)
    yield emr
    emr.history.close()


def test_a_clusters_costs_need_no_signature(costly, send):
    reply = send("GET", f"{COSTS}j-1", scope="")
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    told = reply.json()
    assert (told["ClusterId"], told["Name"]) == ("j-1", "dear")
    assert told["Cost"]["Emr"] == pytest.approx(0.048, rel=0.1)
    assert [one["Ec2InstanceId"] for one in told["Instances"]] == ["i-1"]


def test_an_unknown_cluster_is_not_found(costly, send):
    reply = send("GET", f"{COSTS}j-2", scope="")
    assert (reply.status, "j-2" in reply.json()["message"]) == (404, True)


def test_a_page_from_elsewhere_learns_nothing(costly, send):
    assert send("GET", f"{COSTS}j-1", scope="", host="evil.example").status == 403
