"""Renew the shipped class lists: python tools/make_class_lists.py FOLDER

FOLDER holds what JVMs wrote under -XX:DumpLoadedClassList=FOLDER/%p.lst while a cluster did everything once: the
daemons of HDFS and YARN and the history servers, `hadoop fs` on HDFS and S3, MapReduce, streaming, distcp, and Spark in
client and cluster mode (SQL, Parquet, CSV, JSON, Python functions). All of them are merged into
emrlab/applications/locks/{hadoop,spark}.classes.gz, from which each machine dumps its own class-data archives
(emrlab/nodes/archives.py). Renew them when versions in the locks change; a class that is gone is skipped by the dump.
"""

from __future__ import annotations

import argparse
import gzip
import sys
from collections.abc import Iterable
from pathlib import Path

LOCKS = Path(__file__).resolve().parents[1] / "emrlab" / "applications" / "locks"
# A JVM that has loaded one of these runs on Spark's class path.
OF_SPARK = ("org/apache/spark/deploy/", "org/apache/spark/executor/", "org/apache/spark/launcher/Main")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Renew the shipped class lists.")
    parser.add_argument("folder", type=Path, help="where JVMs wrote their lists (*.lst)")
    lists = [read(file) for file in sorted(parser.parse_args(arguments).folder.glob("*.lst"))]
    if not lists:
        sys.exit("There is no *.lst in that folder: start JVMs with -XX:DumpLoadedClassList=FOLDER/%p.lst first.")
    for name, chosen in split(lists).items():
        lines = merge(chosen)
        file = LOCKS / f"{name}.classes.gz"
        file.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode(), mtime=0))
        print(f"{name}: {len(lines)} lines from {len(chosen)} JVMs, {file.stat().st_size / 1e3:.0f} kB")


def read(file: Path) -> list[str]:
    """A list's lines; a JVM that was killed leaves half a line at the end, which does not count."""
    return file.read_text().split("\n")[:-1]


def split(lists: Iterable[list[str]]) -> dict[str, list[list[str]]]:
    """Spark's lists and all others."""
    found: dict[str, list[list[str]]] = {"hadoop": [], "spark": []}
    for lines in lists:
        found["spark" if any(line.startswith(OF_SPARK) for line in lines) else "hadoop"].append(lines)
    return found


def merge(lists: Iterable[list[str]]) -> list[str]:
    """Each line once, without remarks and classes of other loaders (they name files of the machine they were seen on).

    Sorted: the order means nothing, and a renewal's diff stays small.
    """
    lines = {line for one in lists for line in one}
    return sorted(line for line in lines if line and not line.startswith("#") and " source: " not in line)


if __name__ == "__main__":
    main()
