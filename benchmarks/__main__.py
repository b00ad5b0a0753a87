"""``python -m benchmarks [part …]`` (see ``PARTS``): measure, print the table, keep it for readers."""

from __future__ import annotations

import importlib
import os
import platform
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import psutil

from emrlab.applications import archives, prepare

from .table import Report

PARTS = ("clusters", "notebook", "storage", "memory", "allocation", "control_plane", "steps")
FILE = Path(__file__).resolve().parents[1] / "docs" / "performance.md"
BEGIN, END = "<!-- measured -->", "<!-- /measured -->"


def main(names: list[str]) -> None:
    if unknown := set(names) - set(PARTS):
        raise SystemExit(f"There is no benchmark {', '.join(sorted(unknown))}. There are: {', '.join(PARTS)}")
    say("fetching what is missing, and making class-data archives")
    prepare(["Hadoop", "Spark"])
    for archive in archives():
        archive.build()
    report = Report()
    for name in names or PARTS:
        report.add(importlib.import_module(f"benchmarks.{name}").rows(say))
    text = f"{machine()}\n\n{report.markdown()}"
    print(text)
    if not names:
        keep(text)


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text} …", file=sys.stderr, flush=True)


def machine() -> str:
    cores, memory = os.cpu_count(), psutil.virtual_memory().total / 2**30
    load = os.getloadavg()[0]
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {platform.system()} {platform.machine()}, {cores} cores, {memory:.0f} GiB, "
        f"Python {platform.python_version()}; load average at the end {load:.1f}. Medians (least–most)."
    )


def keep(text: str) -> None:
    """Put the table where readers look for it, in place of the last one."""
    page = FILE.read_text()
    head, _, rest = page.partition(BEGIN)
    FILE.write_text(f"{head}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}")
    print(f"Kept in {FILE.relative_to(Path.cwd()) if FILE.is_relative_to(Path.cwd()) else FILE}", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])
