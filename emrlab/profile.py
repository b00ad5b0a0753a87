"""How much of the machine a lab may use: the memory this process may use decides."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

from .errors import LabError

VARIABLE = "EMRLAB_PROFILE"
LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
SMALL_BYTES = 3 * 2**30
NODE_BYTES = 600 * 2**20  # a core node's daemons and the containers on it
BASE_BYTES = 1000 * 2**20  # region, master node, notebook, a Spark driver


@dataclass(frozen=True)
class Profile:
    """``small``: a container as Binder's; ``standard``: a laptop."""

    name: Literal["small", "standard"]
    memory_bytes: int

    @property
    def heap_mb(self) -> int:
        """No JVM of a learner's job may have a larger heap (MiB), whatever its instance type promises."""
        return 320 if self.name == "small" else max(512, self.memory_bytes // 2**20 // 8)

    @property
    def core_nodes(self) -> int:
        """How many core nodes fit; at least one."""
        return 1 if self.name == "small" else max(1, (self.memory_bytes - BASE_BYTES) // NODE_BYTES)


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
    """The profile of this machine or container, or the one that ``EMRLAB_PROFILE`` names. Raises ``LabError``."""
    usable, named = memory(), os.environ.get(VARIABLE)
    if named not in (None, "", "small", "standard"):
        raise LabError(f"{VARIABLE} is {named!r}. It can be small or standard; or unset it.")
    small = named == "small" if named else usable < SMALL_BYTES
    return Profile("small" if small else "standard", usable)
