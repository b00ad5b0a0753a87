"""Stand-ins for what a cluster's figures come from and go to: recorded answers of engines, CloudWatch in memory."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

RECORDED = Path(__file__).with_name("recorded")
HOST = "ip-127-76-143-11.ec2.internal"  # the one core node when the answers were recorded
TRUST = {"Statement": [{"Effect": "Allow", "Principal": {"Service": "application-autoscaling.amazonaws.com"}}]}


class Engines:
    """Answers of YARN, HDFS and the job history, as recorded on a real cluster (``recorded/<moment>.json``)."""

    def __init__(self, moment: str = "idle") -> None:
        self.asked: list[str] = []
        self.be(moment)

    def be(self, moment: str) -> None:
        """``idle``; ``mapreduce``: a job runs and waits for containers; ``after``: it has just ended; ``spark``."""
        self.answers = json.loads((RECORDED / f"{moment}.json").read_text())

    def fall_silent(self) -> None:
        self.answers = {}

    @property
    def metrics(self) -> dict[str, Any]:
        """What the ResourceManager tells of the cluster: to be changed."""
        return self.answers["8088/ws/v1/cluster/metrics"]["clusterMetrics"]

    @property
    def nodes(self) -> list[dict[str, Any]]:
        return self.answers["8088/ws/v1/cluster/nodes"]["nodes"]["node"]

    def fetched(self, url: str, timeout: float = 2.0) -> dict[str, Any]:
        place = url.removeprefix("http://").partition(":")[2].replace("&deSelects=resourceRequests", "")
        place = place.replace("qry=Hadoop:service=NameNode,name=", "")
        self.asked.append(place)
        return json.loads(json.dumps(self.answers.get(place, {})))


class CloudWatch:
    """CloudWatch and IAM, as far as EMR asks them."""

    def __init__(self) -> None:
        self.points: list[dict[str, Any]] = []
        self.alarms: dict[str, dict[str, Any]] = {}
        self.states: dict[str, str] = {}
        self.trust: dict[str, Any] | None = TRUST

    def put_metric_data(self, Namespace: str, MetricData: Iterable[dict[str, Any]]) -> dict[str, Any]:
        self.points += [{"Namespace": Namespace, **one} for one in MetricData]
        return {}

    def put_metric_alarm(self, **alarm: Any) -> dict[str, Any]:
        self.alarms[alarm["AlarmName"]] = alarm
        return {}

    def describe_alarms(self, AlarmNamePrefix: str) -> dict[str, Any]:
        found = [one for name, one in self.alarms.items() if name.startswith(AlarmNamePrefix)]
        return {"MetricAlarms": found}

    def delete_alarms(self, AlarmNames: list[str]) -> dict[str, Any]:
        for name in AlarmNames:
            self.alarms.pop(name, None)
            self.states.pop(name, None)
        return {}

    def set_alarm_state(self, AlarmName: str, StateValue: str, StateReason: str) -> dict[str, Any]:
        self.states[AlarmName] = StateValue
        return {}

    def get_metric_statistics(self, **asked: Any) -> dict[str, Any]:
        return {
            "Datapoints": [
                {"Timestamp": one["Timestamp"], "Unit": one["Unit"], "SampleCount": 1.0}
                | dict.fromkeys(("Sum", "Minimum", "Maximum"), one["Value"])
                for one in self.points
                if (one["Namespace"], one["MetricName"]) == (asked["Namespace"], asked["MetricName"])
                and one["Dimensions"] == asked["Dimensions"]
                and asked["StartTime"] <= one["Timestamp"] < asked["EndTime"]
            ]
        }

    def get_role(self, RoleName: str) -> dict[str, Any]:
        if self.trust is None:
            raise ClientError({"Error": {"Code": "NoSuchEntity", "Message": RoleName}}, "GetRole")
        return {"Role": {"AssumeRolePolicyDocument": self.trust}}

    # For tests

    def point(self, name: str, value: float, age: float = 0.0, unit: str = "Percent", cluster: str = "j-1") -> None:
        moment = datetime.fromtimestamp(datetime.now(UTC).timestamp() - age, UTC)
        flow = [{"Name": "JobFlowId", "Value": cluster}]
        told = {"MetricName": name, "Dimensions": flow, "Timestamp": moment, "Value": value, "Unit": unit}
        self.put_metric_data("AWS/ElasticMapReduce", [told])

    def values(self, name: str, cluster: str) -> list[float]:
        flow = [{"Name": "JobFlowId", "Value": cluster}]
        return [one["Value"] for one in self.points if one["MetricName"] == name and one["Dimensions"] == flow]
