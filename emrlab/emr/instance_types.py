"""The instance types emrlab has, with EMR's published figures (``instance_types.json`` names its sources)."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..applications.application import Capacity

# Normalized instance hours: an instance-hour of a small one counts 1 ("Normalized instance hours", ClusterSummary).
SIZES = {"nano": 0.25, "micro": 0.5, "small": 1, "medium": 2, "large": 4, "xlarge": 8}


@dataclass(frozen=True)
class InstanceType:
    """``storage_gb``: instance store, in GB, on ``disks`` disks (0: EBS only)."""

    name: str
    capacity: Capacity
    storage_gb: int
    disks: int
    architecture: str
    ebs_optimized: str

    @property
    def normalized(self) -> int:
        """Normalized instance hours of one hour."""
        size = self.name.partition(".")[2]
        if size.endswith("xlarge") and size != "xlarge":
            return 8 * int(size.removesuffix("xlarge"))
        return max(1, int(SIZES.get(size, 8)))

    def told(self) -> dict[str, Any]:
        """As ListSupportedInstanceTypes tells it."""
        return {
            "Type": self.name,
            "MemoryGB": self.capacity.memory_mib / 1024,
            "StorageGB": self.storage_gb,
            "VCPU": self.capacity.vcpu,
            "Is64BitsOnly": True,
            "InstanceFamilyId": self.name.partition(".")[0],
            "EbsOptimizedAvailable": self.ebs_optimized != "unsupported",
            "EbsOptimizedByDefault": self.ebs_optimized == "default",
            "NumberOfDisks": self.disks,
            "EbsStorageOnly": self.storage_gb == 0,
            "Architecture": self.architecture.upper() if self.architecture == "arm64" else self.architecture,
        }


@functools.cache
def all_types() -> Mapping[str, InstanceType]:
    content = json.loads(Path(__file__).with_name("instance_types.json").read_text())
    found = {}
    for name, values in content["types"].items():
        row = dict(zip(content["columns"], values, strict=True))
        rest = {key: row.pop(key) for key in ("storage_gb", "disks", "arch", "ebs_optimized")}
        found[name] = InstanceType(
            name, Capacity(**row), rest["storage_gb"], rest["disks"], rest["arch"], rest["ebs_optimized"]
        )
    return found
