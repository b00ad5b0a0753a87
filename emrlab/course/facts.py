"""What a cluster's shape means: memory, disk, money. Instance types from EMR's API, the rest from ``prices.json``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from importlib.resources import files
from typing import Any

from ..widgets.page import Page, escape, varies

RELEASE = "emr-7.9.0"


@lru_cache
def table() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((files(__package__) / "prices.json").read_text())
    return content


def priced() -> list[str]:
    """The instance types whose prices are known."""
    return list(table()["types"])


def per_hour(instance_type: str) -> float | None:
    """EC2 and EMR together, USD per instance-hour on demand in us-east-1; None when not known."""
    one = table()["types"].get(instance_type)
    return one["ec2"] + one["emr"] if one else None


def replication(core_nodes: int) -> int:
    """HDFS's default on EMR ("HDFS configuration"): 3 from 10 core nodes, 2 from 4 to 9, else 1."""
    return 3 if core_nodes >= 10 else 2 if core_nodes >= 4 else 1


def supported(emr: Any, release: str = RELEASE) -> dict[str, dict[str, Any]]:
    """Instance types by name, as ListSupportedInstanceTypes tells them (VCPU, MemoryGB, StorageGB …)."""
    found: dict[str, dict[str, Any]] = {}
    marker: dict[str, str] = {}
    while True:
        page = emr.list_supported_instance_types(ReleaseLabel=release, **marker)
        found |= {one["Type"]: one for one in page.get("SupportedInstanceTypes", [])}
        if not page.get("Marker"):
            return found
        marker = {"Marker": page["Marker"]}


def consequences(types: Mapping[str, Mapping[str, Any]]) -> Callable[[Mapping[str, Any]], Sequence[tuple[str, str]]]:
    """What follows from ``core_nodes``, ``master_type`` and ``core_type``. ``types``: as ``supported`` gives them."""

    def follow(values: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
        cores, master, core = values["core_nodes"], values["master_type"], values["core_type"]
        facts: list[tuple[str, str]] = []
        if core in types:
            one = types[core]
            facts.append(
                ("Core nodes in all", f"{cores * one['VCPU']} vCPU, {cores * one['MemoryGB']:g} GiB of memory")
            )
        known = table()["types"].get(core)
        if known:
            facts.append(("YARN may use", f"{cores * known['yarn_mb'] / 1024:g} GiB"))
            disk = known["ebs_gib"] + float(types.get(core, {}).get("StorageGB", 0))
            times = replication(cores)
            facts.append(("HDFS holds", f"{cores * disk / times:g} GiB (each block {times}×)"))
        prices = [per_hour(master), per_hour(core)]
        if prices[0] is not None and prices[1] is not None:
            facts.append(("On AWS, per hour", f"${prices[0] + cores * prices[1]:.3f}"))
        return facts

    return follow


@dataclass(frozen=True)
class Charge:
    """One kind of instance on the bill. ``price``: USD per hour, None when not known."""

    cluster: str
    instance_type: str
    instances: int
    seconds: float
    price: float | None

    @property
    def dollars(self) -> float:
        return self.seconds / 3600 * (self.price or 0)


def charges(emr: Any, cluster_id: str, now: datetime | None = None) -> list[Charge]:
    """What the cluster's instances would have cost until now or their end: per second, one minute at least."""
    name = emr.describe_cluster(ClusterId=cluster_id)["Cluster"]["Name"]
    least, now = table()["minimum_seconds"], now or datetime.now(UTC)
    seconds: dict[str, list[float]] = {}
    for page in emr.get_paginator("list_instances").paginate(ClusterId=cluster_id):
        for one in page["Instances"]:
            times = one["Status"].get("Timeline", {})
            start = times.get("CreationDateTime")
            if start is None:
                continue
            lived = ((times.get("EndDateTime") or now) - start).total_seconds()
            seconds.setdefault(one.get("InstanceType", ""), []).append(max(lived, least))
    return [Charge(name, kind, len(each), sum(each), per_hour(kind)) for kind, each in sorted(seconds.items())]


def bill(lines: Sequence[Charge]) -> Page:
    """The bill as a table, with where its prices come from."""
    total = sum(one.dollars for one in lines)
    unknown = sorted({one.instance_type for one in lines if one.price is None})
    head = "".join(
        f"<th scope='col'{number}>{name}</th>"
        for name, number in (
            ("Cluster", ""),
            ("Instances", ""),
            ("Instance-hours", " class='emr-number'"),
            ("USD per hour", " class='emr-number'"),
            ("USD", " class='emr-number'"),
        )
    )
    rows = "".join(
        f"<tr><td>{escape(one.cluster)}</td><td>{one.instances} × {escape(one.instance_type)}</td>"
        f"<td class='emr-number'>{one.seconds / 3600:.3f}</td>"
        f"<td class='emr-number'>{'not known' if one.price is None else f'{one.price:.3f}'}</td>"
        f"<td class='emr-number'>{'' if one.price is None else f'{one.dollars:.4f}'}</td></tr>"
        for one in lines
    )
    note = (
        f"On-demand prices of us-east-1 (EC2 + EMR) as looked up on {table()['looked_up']}, billed per second with a "
        "one-minute minimum; without EBS, S3 and data transfer. Today's: aws.amazon.com/emr/pricing"
    )
    left = f" Without {', '.join(unknown)}: no price known." if unknown else ""
    said = f"On real EMR this would have cost about ${total:.4f}.{left}"
    markup = (
        f"<div class='emr-card'><p class='emr-head'>{said}</p><table class='emr-table'><thead><tr>{head}</tr></thead>"
        f"<tbody>{rows}</tbody></table><p class='emr-quiet'>{note}</p></div>"
    )
    return Page(varies(markup), f"{said}\n{note}", said)
