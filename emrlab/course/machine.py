"""How much memory a lab may count on."""

from __future__ import annotations

from pathlib import Path

import psutil

NODE_BYTES = 600 * 2**20  # a core node's daemons and the containers on it
BASE_BYTES = 1000 * 2**20  # region, master node, notebook, a Spark driver
LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def memory() -> int:
    """Bytes this process may use: the machine's, or its control group's where that is less."""
    limits = [psutil.virtual_memory().total]
    for name in LIMITS:
        try:
            limits.append(int(Path(name).read_text()))
        except (OSError, ValueError):  # no control group, or "max"
            continue
    return min(limits)


def core_nodes() -> int:
    """How many core nodes fit; at least one."""
    return max(1, (memory() - BASE_BYTES) // NODE_BYTES)
