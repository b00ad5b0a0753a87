"""What a cluster costs, told at the region's control path: AWS has no API for it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..home import Home
from .control import COSTS
from .protocol import Answer

if TYPE_CHECKING:
    from .gateway import Emr

JSON = {"content-type": "application/json"}


def answer(home: Home, emr: Emr | None, path: str) -> Answer:
    """The document of the cluster whose id ends ``path``; 404 when there is none, 503 while EMR is starting."""
    from ..emr.market.costs_told import document
    from ..emr.market.spot_market import market

    if emr is None:
        return told(503, {"message": "EMR is still starting. Ask again in a moment."})
    cluster_id = path.removeprefix(COSTS)
    found = document(emr.history, market(home), cluster_id)
    return told(404, {"message": f"There is no cluster {cluster_id}."}) if found is None else told(200, found)


def told(status: int, content: dict[str, Any]) -> Answer:
    return Answer(status, dict(JSON), json.dumps(content).encode())
