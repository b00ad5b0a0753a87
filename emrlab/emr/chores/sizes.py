"""Groups and fleets follow the size they are to have; an instance that failed is one too few."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import capacity
from ..reconfiguration import Reconfiguration
from ..records import Collection, Fleet, Group
from ..resize import Resize
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
        if isinstance(collection, Group) and collection.state == "RECONFIGURING":
            driver.resizes[collection.id] = Reconfiguration(driver, collection)
            driver.resizes[collection.id].start()
            continue
        if collection.state == "RUNNING" and collection.role != "MASTER" and differs(driver, collection):
            with driver.history.changing(type(collection), collection.id) as now:
                now.move("RESIZING")
        elif collection.state not in RESIZES:
            continue
        driver.resizes[collection.id] = Resize(driver, collection)
        driver.resizes[collection.id].start()


def collections(driver: Driver) -> list[Collection]:
    history = driver.history
    return [*history.of(Group, driver.cluster_id), *history.of(Fleet, driver.cluster_id)]


def differs(driver: Driver, collection: Collection) -> bool:
    plan = capacity.plan(driver, collection)
    return bool(plan.launch or plan.leave)
