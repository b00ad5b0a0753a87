"""What lab 1.1 takes at its most: every process of the region, its cluster and the notebook."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import psutil

from emrlab.home import Home

from .bench import bench, pss
from .table import Row

LAB = Path(__file__).resolve().parents[1] / "labs" / "1-clusters" / "1.1-first-cluster.ipynb"
EVERY = 0.5  # seconds between two looks
SMALL = {"EMRLAB_PROFILE": "small", "EMRLAB_PARAM_CORE_NODES": "1"}


def rows(say: Callable[[str], None]) -> list[Row]:
    say("memory of lab 1.1, small profile")
    os.environ.update(SMALL)
    try:
        with bench() as one:
            program = subprocess.Popen(
                [sys.executable, "-m", "emrlab", "solve", str(LAB)],
                env={**one.environment, **SMALL},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
            most, count = watch(program, one.home)
            if program.returncode:
                raise RuntimeError(program.stderr.read()[-2000:] if program.stderr else "the lab failed")
    finally:
        for name in SMALL:
            os.environ.pop(name, None)
    note = (
        f"of all {count} processes: region, 1 master, 1 core, the notebook's kernel, a Spark driver and its containers"
    )
    return [Row("memory of lab 1.1 at its peak, small profile (PSS)", [most], "MiB", 1800, note=note)]


def watch(program: subprocess.Popen[str], home: Home) -> tuple[float, int]:
    """The most memory (MiB) of the program, of what it started and of the region; and in how many processes."""
    most, count, over = 0.0, 0, threading.Event()
    while not over.wait(EVERY):
        those = {process.pid: process for process in psutil.process_iter() if belongs(process, home, program.pid)}
        now = sum(map(pss, those.values()))
        if now > most:
            most, count = now, len(those)
        if program.poll() is not None:
            over.set()
    return most, count


def belongs(process: psutil.Process, home: Home, pid: int) -> bool:
    try:
        if process.pid == pid or pid in {parent.pid for parent in process.parents()}:
            return True
        return process.environ().get("EMRLAB_OWNER") == home.mark
    except (psutil.Error, OSError):
        return False
