"""S3 through Spark against the local disk: 200 MB of Parquet written and read."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

from .bench import bench
from .notebook import settled
from .table import Row

TIMES = 3
PROGRAM = """\
import json, os, sys, time
from emrlab.course import spark
from emrlab.home import home
session = spark.local(home(), "bench")
# Random digits do not compress: 13 million of them are 200 MB of Parquet, from a fixed seed.
frame = session.range(0, 13_000_000, 1, 4).selectExpr("id", "rand(7) as x", "rand(8) as y").drop("id").cache()
frame.count()
folder = os.path.join(str(home().root), "bench")
places = {"disk": "file://" + folder, "s3": "s3a://bench/parquet"}
found = {f"{name} {what}": [] for name in places for what in ("write", "read")}
for number in range(int(sys.argv[1]) + 1):
    for name, place in places.items():
        begun = time.perf_counter()
        frame.write.mode("overwrite").parquet(place)
        written = time.perf_counter()
        session.read.parquet(place).selectExpr("sum(x)", "sum(y)").first()
        read = time.perf_counter()
        if number:
            found[name + " write"].append(written - begun)
            found[name + " read"].append(read - written)
size = sum(os.path.getsize(os.path.join(folder, file)) for file in os.listdir(folder) if file.endswith(".parquet"))
print(json.dumps({"size": size / 1e6, **found}))
spark.stop()
"""


def rows(say: Callable[[str], None]) -> list[Row]:
    say("S3 through Spark")
    with bench() as one:
        settled(one)
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(TIMES)], env=one.environment, capture_output=True, text=True, check=True
        )
    found = json.loads(done.stdout.splitlines()[-1])
    size = found.pop("size")
    rates = {name: [size / seconds for seconds in times] for name, times in found.items()}
    return [
        Row(f"S3 through Spark, {what} {size:.0f} MB of Parquet", rates[f"s3 {what}"], "MB/s", None, "local disk",
            rates[f"disk {what}"], None, True)
        for what in ("write", "read")
    ]  # fmt: skip
