"""The lab clock as a calendar: which lab moment a true moment was, whatever the clock's factor has been meanwhile."""

from __future__ import annotations

import json
import logging
import threading
import time
from bisect import bisect_right
from pathlib import Path

from ...clock import Clock

log = logging.getLogger(__name__)


class LabTime:
    """Lab time begins with 0 when a home's market is first looked at; before that it ran as fast as then.

    A new factor counts from when it is noticed, so that what was once told of the past stays true. Written through:
    a restart changes nothing (unless the disk refused it).
    """

    def __init__(self, file: Path, clock: Clock) -> None:
        self.file, self.clock = file, clock
        self.lock = threading.Lock()
        self.speeds = read(file)  # (true moment, lab moment then, factor from then on)
        self.notice()

    def lab(self, moment: float) -> float:
        """Lab seconds at a true moment (seconds since 1970)."""
        self.notice()
        since, then, factor = self.speed(0, moment)
        return then + (moment - since) * factor

    def true(self, lab_seconds: float) -> float:
        """The true moment of a lab moment."""
        since, then, factor = self.speed(1, lab_seconds)
        return since + (lab_seconds - then) / factor

    def speed(self, column: int, value: float) -> tuple[float, float, float]:
        speeds = self.speeds
        return speeds[max(0, bisect_right(speeds, value, key=lambda speed: speed[column]) - 1)]

    def notice(self) -> None:
        """Take note of the clock's factor."""
        factor = self.clock.factor
        if self.speeds and self.speeds[-1][2] == factor:
            return
        with self.lock:
            now = time.time()
            if not self.speeds:
                self.speeds = [(now, 0.0, factor)]
            elif self.speeds[-1][2] != factor and now > self.speeds[-1][0]:
                since, then, before = self.speeds[-1]
                self.speeds = [*self.speeds, (now, then + (now - since) * before, factor)]
            write(self.file, self.speeds)


def read(file: Path) -> list[tuple[float, float, float]]:
    try:
        return [(float(since), float(then), float(factor)) for since, then, factor in json.loads(file.read_text())]
    except (OSError, ValueError, TypeError):
        return []


def write(file: Path, speeds: list[tuple[float, float, float]]) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_suffix(".new")
        temporary.write_text(json.dumps(speeds))
        temporary.replace(file)
    except OSError as error:  # a full disk must not make prices fail
        log.error("the lab's calendar cannot be written: %s", error)
