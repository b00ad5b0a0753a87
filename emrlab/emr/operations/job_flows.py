"""DescribeJobFlows: clusters for clients from before ListClusters and DescribeCluster."""

from __future__ import annotations

import json
import time
from typing import Any

from .. import job_flow, states
from ..records import Cluster
from ..registry import Call, operation

MOST = 512
DAY = 24 * 3600.0
TWO_MONTHS, TWO_WEEKS = 61 * DAY, 14 * DAY
FILTERS = ("CreatedAfter", "CreatedBefore", "JobFlowIds", "JobFlowStates")


@operation("DescribeJobFlows")
def describe_job_flows(call: Call, params: dict[str, Any]) -> dict[str, Any]:
    """Those of the last two months that fit all filters, newest first.

    Without a filter: the active ones, and those that were created and ended in the last two weeks.
    """
    now = time.time()
    conditions = ["json_extract(body, '$.account') = ?", "json_extract(body, '$.region') = ?", "created >= ?"]
    values: list[object] = [call.context.account, call.context.region, now - TWO_MONTHS]
    for name, comparison in (("CreatedAfter", ">="), ("CreatedBefore", "<=")):
        if name in params:
            conditions.append(f"created {comparison} ?")
            values.append(params[name].timestamp())
    if ids := params.get("JobFlowIds"):
        conditions.append("id in (select value from json_each(?))")
        values.append(json.dumps(ids))
    found = call.service.history.select(Cluster, f"{' and '.join(conditions)} order by number desc", values)
    wanted = params.get("JobFlowStates")
    if wanted:
        found = [one for one in found if job_flow.state(one) in wanted]
    elif not any(params.get(name) for name in FILTERS):
        found = [one for one in found if one.state in states.ACTIVE or one.created >= now - TWO_WEEKS]
    return {"JobFlows": [job_flow.told(call.service.history, one) for one in found[:MOST]]}
