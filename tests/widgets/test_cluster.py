from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from emrlab.widgets.cluster import look, rest

START = datetime(2026, 1, 1, tzinfo=UTC)
YARN = {
    "nodes": {
        "node": [
            {
                "nodeHostName": "ip-127-66-1-11.ec2.internal",
                "nodeHTTPAddress": "ip-127-66-1-11.ec2.internal:8042",
                "state": "RUNNING",
                "numContainers": 2,
                "usedMemoryMB": 4096,
                "availMemoryMB": 8192,
            },
            {"nodeHostName": "127.66.1.12", "nodeHTTPAddress": "127.66.1.12:8042", "state": "LOST"},
        ]
    }
}
LIVE = {
    "ip-127-66-1-11.ec2.internal:9866": {
        "xferaddr": "127.66.1.11:9866",
        "numBlocks": 7,
        "usedSpace": 10,
        "capacity": 99,
    }
}
JMX = "/jmx?qry=Hadoop:service=NameNode,name="


class FakeEmr:
    """boto3's client, as far as a look needs it."""

    def __init__(self, state: str = "WAITING", instances: list[dict[str, Any]] | None = None, steps: Any = ()) -> None:
        self.state, self.steps = state, list(steps)
        self.instances = instances or [
            self.instance("i-core2", "ig-c", "127.66.1.12"),
            self.instance("i-core1", "ig-c", "127.66.1.11"),
            self.instance("i-master", "ig-m", "127.66.1.10"),
        ]

    @staticmethod
    def instance(name: str, group: str, address: str, state: str = "RUNNING") -> dict[str, Any]:
        return {
            "Ec2InstanceId": name,
            "InstanceGroupId": group,
            "InstanceType": "m5.xlarge",
            "PrivateIpAddress": address,
            "PrivateDnsName": f"ip-{address.replace('.', '-')}.ec2.internal",
            "Status": {"State": state},
        }

    def describe_cluster(self, ClusterId: str) -> dict[str, Any]:
        return {
            "Cluster": {
                "Id": ClusterId,
                "Name": "first",
                "Status": {"State": self.state, "StateChangeReason": {"Code": "USER_REQUEST", "Message": "bye"}},
                "MasterPublicDnsName": "127.0.0.1",
                "Applications": [{"Name": "Spark", "Version": "3.5.5"}],
            }
        }

    def get_paginator(self, operation: str) -> Any:
        pages = {
            "list_instance_groups": {
                "InstanceGroups": [
                    {"Id": "ig-m", "InstanceGroupType": "MASTER"},
                    {"Id": "ig-c", "InstanceGroupType": "CORE"},
                ]
            },
            "list_instances": {"Instances": self.instances},
            "list_steps": {"Steps": self.steps},
        }

        class Pages:
            def paginate(self, **_: Any) -> list[dict[str, Any]]:
                return [pages[operation]]

        return Pages()


def answer(engines, nodes=YARN, live=LIVE, apps=None):
    engines["/ws/v1/cluster/nodes"] = nodes
    engines["/ws/v1/cluster/apps"] = apps or {"apps": None}
    engines[JMX + "NameNodeInfo"] = {"beans": [{"LiveNodes": json.dumps(live)}]}
    engines[JMX + "FSNamesystem"] = {"beans": [{"UnderReplicatedBlocks": 3}]}


def test_nodes_come_by_role_with_what_their_daemons_say(engines):
    answer(engines)
    cluster = look(FakeEmr(), "j-1")
    master, first, second = cluster.nodes
    assert (master.role, master.daemons) == ("MASTER", ("NameNode", "ResourceManager"))
    assert (first.id, first.daemons) == ("i-core1", ("DataNode", "NodeManager"))
    assert (first.containers, first.used_mb, first.total_mb, first.blocks) == (2, 4096, 12288, 7)
    assert (second.daemons, second.containers, second.blocks) == ((), None, None)
    assert cluster.under_replicated == 3
    assert cluster.applications == ("Spark 3.5.5",)


def test_silent_engines_leave_what_the_api_tells(engines):
    cluster = look(FakeEmr(), "j-1")
    assert [node.daemons for node in cluster.nodes] == [(), (), ()]
    assert cluster.state == "WAITING"


def test_a_cluster_that_starts_is_not_asked_for_its_daemons(engines):
    answer(engines)
    assert all(not node.daemons for node in look(FakeEmr("STARTING"), "j-1").nodes)


def test_an_answer_that_is_not_json_counts_as_none(engines):
    engines["/ws/v1/cluster/nodes"] = "<html>starting</html>"
    assert all(not node.daemons for node in look(FakeEmr(), "j-1").nodes)
    assert rest("127.0.0.1", 1, "/") == {}


def test_replaced_instances_are_not_shown_while_the_cluster_lives(engines):
    gone = FakeEmr.instance("i-gone", "ig-c", "127.66.1.13", "TERMINATED")
    there = FakeEmr.instance("i-new", "ig-c", "127.66.1.14")
    assert [node.id for node in look(FakeEmr(instances=[gone, there]), "j-1").nodes] == ["i-new"]
    assert [node.id for node in look(FakeEmr("TERMINATED", [gone]), "j-1").nodes] == ["i-gone"]


def test_steps_come_oldest_first_with_their_applications_progress(engines):
    started = {"StartDateTime": START}
    steps = [
        {"Id": "s-2", "Name": "new", "Status": {"State": "RUNNING", "Timeline": started}},
        {
            "Id": "s-1",
            "Name": "old",
            "Status": {
                "State": "FAILED",
                "FailureDetails": {"Reason": "Unknown Error.", "Message": "boom", "LogFile": "s3://b/stderr.gz"},
                "Timeline": {**started, "EndDateTime": START + timedelta(seconds=3)},
            },
        },
    ]
    before, after = (START.timestamp() * 1000 + shift for shift in (-60_000, 2_000))
    apps = [{"startedTime": before, "progress": 100}, {"startedTime": after, "progress": 40}]
    answer(engines, apps={"apps": {"app": apps}})
    old, new = look(FakeEmr(steps=steps), "j-1").steps
    assert (old.name, old.reason, old.log, old.seconds) == ("old", "boom", "s3://b/stderr.gz", 3)
    assert (new.name, new.progress, new.seconds) == ("new", 40, None)
