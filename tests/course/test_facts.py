from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from emrlab.course import facts

TYPES = {"m5.xlarge": {"VCPU": 4, "MemoryGB": 16.0, "StorageGB": 0}}
START = datetime(2026, 1, 1, tzinfo=UTC)


def emr(*lives):
    """A client that tells of instances which lived so many seconds (None: still alive)."""

    class Emr:
        def describe_cluster(self, ClusterId):
            return {"Cluster": {"Name": "first"}}

        def get_paginator(self, _):
            class Pages:
                def paginate(self, ClusterId):
                    instances = []
                    for kind, seconds in lives:
                        end = {} if seconds is None else {"EndDateTime": START + timedelta(seconds=seconds)}
                        timeline = {"CreationDateTime": START, **end}
                        instances.append({"InstanceType": kind, "Status": {"Timeline": timeline}})
                    return [{"Instances": instances}]

            return Pages()

    return Emr()


@pytest.mark.parametrize(("nodes", "copies"), [(1, 1), (3, 1), (4, 2), (9, 2), (10, 3)])
def test_replication_follows_the_number_of_core_nodes(nodes, copies):
    assert facts.replication(nodes) == copies


def test_what_follows_from_a_shape():
    found = dict(facts.consequences(TYPES)({"core_nodes": 4, "master_type": "m5.xlarge", "core_type": "m5.xlarge"}))
    assert found == {
        "Core nodes in all": "16 vCPU, 64 GiB of memory",
        "YARN may use": "48 GiB",
        "HDFS holds": "128 GiB (each block 2×)",
        "On AWS, per hour": "$1.200",
    }


def test_a_type_without_a_price_gets_none():
    shape = {"core_nodes": 1, "master_type": "m5.xlarge", "core_type": "p9.huge"}
    assert facts.consequences(TYPES)(shape) == []


def test_billing_is_by_the_second_with_one_minute_at_least():
    short, long, alive = emr(("m5.xlarge", 5)), emr(("m5.xlarge", 3600), ("m5.xlarge", 1800)), emr(("m5.xlarge", None))
    assert facts.charges(short, "j-1")[0].seconds == 60
    [line] = facts.charges(long, "j-1")
    assert (line.instances, line.seconds) == (2, 5400)
    assert line.dollars == pytest.approx(1.5 * 0.24)
    assert facts.charges(alive, "j-1", now=START + timedelta(seconds=90))[0].seconds == 90


def test_the_bill_names_its_sources_and_what_it_does_not_know():
    page = facts.bill(facts.charges(emr(("m5.xlarge", 3600), ("p9.huge", 3600)), "j-1"))
    assert "about $0.2400. Without p9.huge" in page.text
    assert "us-east-1" in page.text
    assert facts.table()["looked_up"] in page.text


def test_all_pages_of_instance_types_are_read():
    class Emr:
        def list_supported_instance_types(self, ReleaseLabel, Marker=""):
            one = {"SupportedInstanceTypes": [{"Type": f"t{Marker}"}]}
            return one if Marker else one | {"Marker": "2"}

    assert set(facts.supported(Emr())) == {"t", "t2"}


def test_yarns_memory_is_what_the_service_gives():
    told = json.loads((Path(__file__).parents[2] / "emrlab" / "emr" / "instance_types.json").read_text())
    column = told["columns"].index("yarn_mb")
    for name, one in facts.table()["types"].items():
        assert told["types"][name][column] == one["yarn_mb"], name
