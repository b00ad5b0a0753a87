"""Launching a cluster and running a step on it, against the same daemons and submission with JVMs as they come."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from .bench import Bench, bench
from .table import Row

LAUNCHES, STEPS, CALLS = 3, 3, 200


def rows(say: Callable[[str], None]) -> list[Row]:
    say("clusters, tuned")
    with bench() as tuned:
        launches, steps, calls, idle = measure(tuned)
    say("clusters, stock")
    with bench(stock=True) as stock:
        stock_launches, stock_steps, _, stock_idle = measure(stock)
    plain = "stock JVMs, no archives"
    return [
        Row(
            "RunJobFlow → WAITING, 1 master + 2 core, Hadoop + Spark, warm",
            launches,
            "s",
            5,
            plain,
            stock_launches,
            0.5,
        ),
        Row(
            "trivial Spark step submitted → COMPLETED", steps, "s", 8, f"{plain}, stock spark-submit", stock_steps, 0.5
        ),
        Row("DescribeCluster, p50 of 200 calls, one client", [calls], "ms", 5),
        Row("memory idle: region + 1 master + 2 core (PSS)", [idle], "MiB", None, plain, [stock_idle]),
    ]


def measure(one: Bench) -> tuple[list[float], list[float], float, float]:
    launches: list[float] = []
    cluster_id = ""
    for _ in range(LAUNCHES + 1):
        if cluster_id:
            one.terminate(cluster_id)
        cluster_id, seconds = one.launch()
        launches.append(seconds)
    idle = one.pss()
    steps = [one.step(cluster_id, "spark-submit", "s3://bench/trivial.py") for _ in range(STEPS + 1)]
    times = []
    for _ in range(CALLS):
        begun = time.perf_counter()
        one.emr.describe_cluster(ClusterId=cluster_id)
        times.append(1000 * (time.perf_counter() - begun))
    one.terminate(cluster_id)
    return launches[1:], steps[1:], statistics.median(times), idle  # the first of each warms the page cache
