"""What AWS publishes of prices: on-demand, EMR's own charge, EBS (``prices.json`` names its sources and their date).

USD, us-east-1, Linux; every region of the lab has the same. A type without a published price has none here either.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..instance_types import all_types

# "EBS costs are pro-rated … divided by 30 days divided by 24h" (Instance storage, Amazon EMR Management Guide).
MONTH = 30 * 24 * 3600


@dataclass(frozen=True)
class Price:
    """USD per hour of one instance type. ``spot_share``: what spot usually costs, as a part of on-demand.

    ``interruptions``: how often spot instances of the type are taken away in a month, in Spot Instance Advisor's words.
    """

    on_demand: float
    emr: float
    spot_share: float
    interruptions: str


@dataclass(frozen=True)
class Volume:
    """An EBS volume. ``gib``: its size. ``iops``, ``mibps``: provisioned; 0 for what the type comes with."""

    kind: str
    gib: int
    iops: int = 0
    mibps: int = 0

    @property
    def monthly(self) -> float:
        """USD per month; a kind without a published price raises ``KeyError``."""
        price = ebs()[self.kind]
        return (
            self.gib * price["gb_month"]
            + max(0, self.iops - price["free_iops"]) * price["iops_month"]
            + max(0, self.mibps - price["free_mibps"]) * price["mibps_month"]
        )


def price(instance_type: str) -> Price | None:
    """The published price of an instance type; None when there is none."""
    return types().get(instance_type)


def root_volume(gib: int | None = None) -> Volume:
    """Every instance's root device ("Customizing the Amazon EBS root device volume")."""
    kind, size = content()["root_volume"]
    return Volume(kind, gib or size)


def default_volumes(instance_type: str) -> list[Volume]:
    """What an instance with EBS-only storage gets unasked, by its size ("Default EBS storage for instances")."""
    found = all_types().get(instance_type)
    if found is None or found.storage_gb:
        return []
    count, gib = content()["default_volumes"].get(instance_type.partition(".")[2], (0, 0))
    return [Volume(root_volume().kind, gib)] * count


def asked_volumes(configuration: Mapping[str, Any]) -> list[Volume]:
    """The volumes of an ``EbsConfiguration``; none when it asks for none."""
    found = []
    for one in configuration.get("EbsBlockDeviceConfigs") or []:
        told = one["VolumeSpecification"]
        volume = Volume(told["VolumeType"], told["SizeInGB"], told.get("Iops") or 0, told.get("Throughput") or 0)
        found += [volume] * (one.get("VolumesPerInstance") or 1)
    return found


def source() -> str:
    """Where the prices come from, in one line for people."""
    told = content()
    return f"{told['currency']}, Linux on-demand in {told['region']}, as AWS listed them on {told['date']}"


@functools.cache
def content() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(__file__).with_name("prices.json").read_text())
    return found


@functools.cache
def types() -> Mapping[str, Price]:
    told = content()
    assert told["columns"] == ["on_demand", "emr", "spot_saving_percent", "interruptions"]
    return {
        name: Price(on_demand, emr, 1 - saving / 100, told["interruptions"][rank])
        for name, (on_demand, emr, saving, rank) in told["types"].items()
    }


@functools.cache
def ebs() -> Mapping[str, Mapping[str, float]]:
    told = content()["ebs"]
    rows = {kind: values for kind, values in told.items() if kind != "columns"}
    return {kind: dict(zip(told["columns"], values, strict=True)) for kind, values in rows.items()}
