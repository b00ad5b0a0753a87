"""Four Spark steps side by side against the same four one after the other, on a cluster that has room for all."""

from __future__ import annotations

import time
from collections.abc import Callable

from .bench import Bench, bench
from .table import Row

STEPS, ROUNDS = 4, 3
# What most steps do most of the time: wait, here for something else than this machine's two cores.
WORK = """\
import time
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
spark.sparkContext.parallelize(range(2), 2).foreach(lambda number: time.sleep(15))
spark.stop()
"""


def rows(say: Callable[[str], None]) -> list[Row]:
    say("steps in parallel")
    with bench() as one:
        one.s3.put_object(Bucket="bench", Key="waits.py", Body=WORK.encode())
        cluster_id, _ = one.launch(cores=3)
        run(one, cluster_id, STEPS)  # warms the page cache
        together = [run(one, cluster_id, STEPS) for _ in range(ROUNDS)]
        in_turn = [run(one, cluster_id, 1) for _ in range(ROUNDS)]
        one.terminate(cluster_id)
    return [
        Row(
            f"{STEPS} Spark steps, StepConcurrencyLevel {STEPS}, each 15 s of waiting",
            together,
            against="StepConcurrencyLevel 1",
            baseline=in_turn,
            aim_ratio=0.6,
        )
    ]


def run(one: Bench, cluster_id: str, level: int) -> float:
    """Seconds until all steps are COMPLETED."""
    one.emr.modify_cluster(ClusterId=cluster_id, StepConcurrencyLevel=level)
    submit = ["spark-submit", "--conf", "spark.dynamicAllocation.enabled=false", "--num-executors", "1"]
    submit += ["--executor-cores", "2", "--executor-memory", "1g", "s3://bench/waits.py"]
    work = {"Jar": "command-runner.jar", "Args": submit}
    asked = [
        {"Name": f"step {number}", "ActionOnFailure": "CONTINUE", "HadoopJarStep": work} for number in range(STEPS)
    ]
    begun = time.perf_counter()
    made = one.emr.add_job_flow_steps(JobFlowId=cluster_id, Steps=asked)["StepIds"]
    for step_id in made:
        one.until(lambda step_id=step_id: one.step_state(cluster_id, step_id), "COMPLETED")
    return time.perf_counter() - begun
