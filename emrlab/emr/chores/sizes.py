"""Groups and fleets follow the size they are to have; an instance that failed is one too few."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ..records import Collection, Fleet
from ..sizing import capacity
from ..sizing.provisioning import collections
from ..sizing.reconfiguration import Reconfiguration
from ..sizing.resize import Resize
from . import chore

if TYPE_CHECKING:
    from ..driver import Driver

RESIZES = ("PROVISIONING", "BOOTSTRAPPING", "RESIZING")


@chore
def look(driver: Driver) -> None:
    for collection in collections(driver):
        resize = driver.resizes.get(collection.id)
        if resize is not None and resize.is_alive():
            continue
        if collection.state == "RECONFIGURING":
            driver.resizes[collection.id] = Reconfiguration(driver, collection)
            driver.resizes[collection.id].start()
            continue
        if collection.state == "RUNNING" and collection.role != "MASTER" and differs(driver, collection):
            with driver.history.changing(type(collection), collection.id) as now:
                if isinstance(now, Fleet):
                    now.since = time.time()
                now.move("RESIZING")
        elif collection.state not in RESIZES:
            continue
        driver.resizes[collection.id] = Resize(driver, collection)
        driver.resizes[collection.id].start()


def differs(driver: Driver, collection: Collection) -> bool:
    plan = capacity.plan(driver, collection)
    return bool(plan.launch or plan.leave or plan.waiting)
