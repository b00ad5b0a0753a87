"""A cluster's costs as a JSON document: what ``emrlab cost`` and the labs' panels show."""

from __future__ import annotations

import time
from typing import Any

from ..history import History
from ..records import Cluster, Instance, Step
from . import costs, prices
from .costs import Cost
from .spot_market import Market


def document(history: History, market: Market, cluster_id: str) -> dict[str, Any] | None:
    """Everything about a cluster's costs until now; None when there is no such cluster."""
    cluster = history.get(Cluster, cluster_id)
    if cluster is None:
        return None
    now = time.time()
    bill = costs.bill(history, cluster, market)
    instances, steps = history.of(Instance, cluster_id), history.of(Step, cluster_id)
    each = [(one, costs.instance_cost(one, now, bill)) for one in instances]
    whole = sum((found for _, found in each), Cost())
    return {
        "ClusterId": cluster.id,
        "Name": cluster.name,
        "State": cluster.state,
        "AsOf": now,
        "AvailabilityZone": bill.zone,
        "Prices": prices.source(),
        "Cost": told(whole),
        "Unpriced": sorted(whole.unpriced),
        "Instances": [
            {
                "Id": one.id,
                "Ec2InstanceId": one.ec2,
                "InstanceType": one.instance_type,
                "Market": one.market,
                "State": one.state,
                "Seconds": costs.seconds(one, now),
                "Cost": told(found),
            }
            for one, found in each
        ],
        "Steps": [
            {
                "Id": step.id,
                "Name": step.name,
                "State": step.state,
                "Seconds": 0.0 if step.ready is None else round((step.ended or now) - step.ready, 3),
                "Cost": told(costs.share(step, steps, instances, bill, now)),
            }
            for step in steps
        ],
    }


def told(cost: Cost) -> dict[str, float]:
    return {name: round(value, 6) for name, value in (
        ("Ec2", cost.ec2), ("Emr", cost.emr), ("Ebs", cost.ebs), ("Total", cost.total)
    )}  # fmt: skip
