"""A thread that watches the cluster: started here, and again should it ever end before its cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..scaling.watch import Reading, Watch
from . import chore

if TYPE_CHECKING:
    from ..driver import Driver


@chore
def watch(driver: Driver) -> None:
    if found(driver) is None and not driver.service.stopping.is_set():
        driver.service.beside.start(Watch(driver))


def found(driver: Driver) -> Watch | None:
    worker = driver.service.beside.get(f"watch {driver.cluster_id}")
    return worker if isinstance(worker, Watch) else None


def reading(driver: Driver) -> Reading | None:
    """The newest one."""
    watching = found(driver)
    return watching.reading if watching else None
