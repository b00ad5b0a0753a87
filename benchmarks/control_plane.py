"""The API alone, with a long history: 1,000 clusters and 10,000 steps that are over, and no engine running."""

from __future__ import annotations

import http.client
import itertools
import json
import statistics
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from emrlab.emr import ids
from emrlab.emr.history import History
from emrlab.emr.records import Cluster, Group, Instance, Step
from emrlab.home import Home
from emrlab.region.control import ACCOUNT, NAME

from .bench import Bench, bench
from .table import Row

CLUSTERS, STEPS = 1000, 10
CLIENTS, SECONDS, ROUNDS = 8, 4.0, 3
PAGES = 100


def rows(say: Callable[[str], None]) -> list[Row]:
    say("the API over a long history")
    with bench(before=fill) as one:
        pages = list_clusters(one)
        rates = [calls_per_second(one) for _ in range(ROUNDS)]
    return [
        Row(
            f"ListClusters, p50 of {PAGES} pages, {CLUSTERS:,} clusters and {CLUSTERS * STEPS:,} steps in history",
            [statistics.median(pages)],
            "ms",
            20,
        ),
        Row(
            f"EMR calls a second from {CLIENTS} clients (describe and list of clusters, steps, instances in turns)",
            rates,
            "calls/s",
            300,
            higher_is_better=True,
        ),
    ]


def fill(home: Home) -> None:
    """What years of use leave."""
    history = History(home.region / "emr.sqlite")
    begun = time.time() - CLUSTERS * 3600
    for number in range(CLUSTERS):
        cluster_id, then = ids.made("j"), begun + number * 3600
        times = {"created": then, "ready": then + 10, "ended": then + 600}
        cluster = Cluster(
            cluster_id, cluster_id, "TERMINATED", ACCOUNT, NAME, f"cluster {number}", "emr-7.9.0", ["Hadoop", "Spark"],
            False, False, ec2={"Ec2AvailabilityZone": "us-east-1a"}, **times,
        )  # fmt: skip
        groups = [
            Group(ids.made("ig"), cluster_id, "TERMINATED", role, role, "m5.xlarge", count, **times)
            for role, count in (("MASTER", 1), ("CORE", 2))
        ]
        instances = [
            Instance(ids.made("ci"), cluster_id, "TERMINATED", group.id, ids.instance(), "m5.xlarge", **times)
            for group in groups
            for _ in range(group.requested)
        ]
        steps = [
            Step(ids.made("s"), cluster_id, "COMPLETED", f"step {each}", "command-runner.jar", ["true"], **times)
            for each in range(STEPS)
        ]
        history.add(cluster, *groups, *instances, *steps)
    history.close()


def list_clusters(one: Bench) -> list[float]:
    """Milliseconds of each page."""
    found: list[float] = []
    while len(found) < PAGES:
        marker: dict[str, str] = {}
        while True:
            begun = time.perf_counter()
            page = one.emr.list_clusters(**marker)
            found.append(1000 * (time.perf_counter() - begun))
            if "Marker" not in page:
                break
            marker = {"Marker": page["Marker"]}
    return found[:PAGES]


def calls_per_second(one: Bench) -> float:
    """Each client asks on a connection of its own, as fast as it is answered. Requests are signed beforehand."""
    ends = time.monotonic() + SECONDS
    counts = [0] * CLIENTS
    clusters = [each["Id"] for each in one.emr.list_clusters()["Clusters"][:CLIENTS]]
    troubles: list[str] = []

    def ask(number: int) -> None:
        place = urlsplit(one.region.endpoint)
        connection = http.client.HTTPConnection(str(place.hostname), place.port)
        for request in itertools.cycle(requests(one, clusters[number])):
            if time.monotonic() > ends:
                break
            connection.request("POST", "/", request.body, dict(request.headers))
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != 200:
                troubles.append(body.decode())
                return
            counts[number] += 1

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(CLIENTS)]
    begun = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if troubles:
        raise RuntimeError(troubles[0])
    return sum(counts) / (time.monotonic() - begun)


def requests(one: Bench, cluster_id: str) -> list[Any]:
    step = one.emr.list_steps(ClusterId=cluster_id)["Steps"][0]["Id"]
    asked = [
        ("DescribeCluster", {"ClusterId": cluster_id}),
        ("ListSteps", {"ClusterId": cluster_id}),
        ("DescribeStep", {"ClusterId": cluster_id, "StepId": step}),
        ("ListInstances", {"ClusterId": cluster_id}),
        ("ListInstanceGroups", {"ClusterId": cluster_id}),
    ]
    return [signed(one, name, params) for name, params in asked]


def signed(one: Bench, operation: str, params: dict[str, str]) -> Any:
    headers = {"X-Amz-Target": f"ElasticMapReduce.{operation}", "Content-Type": "application/x-amz-json-1.1"}
    request = AWSRequest("POST", f"{one.region.endpoint}/", headers=headers, data=json.dumps(params).encode())
    SigV4Auth(Credentials("test", "test"), "elasticmapreduce", NAME).add_auth(request)
    return request.prepare()
