"""How much of the machine a lab may use: the memory this process may use decides."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
SMALL_BYTES = 3 * 2**30


@dataclass(frozen=True)
class Profile:
    """``small``: a container as Binder's; ``standard``: a laptop."""

    name: Literal["small", "standard"]
    memory_bytes: int

    @property
    def heap_mb(self) -> int:
        """No JVM of a learner's job may have a larger heap (MiB), whatever its instance type promises."""
        return 320 if self.name == "small" else max(512, self.memory_bytes // 2**20 // 8)


def memory() -> int:
    """Bytes this process may use: the machine's, or its control group's where that is less."""
    limits = [psutil.virtual_memory().total]
    for name in LIMITS:
        try:
            limits.append(int(Path(name).read_text()))
        except (OSError, ValueError):  # no control group, or "max"
            continue
    return min(limits)


def profile() -> Profile:
    """The profile of this machine or container."""
    usable = memory()
    return Profile("small" if usable < SMALL_BYTES else "standard", usable)
