"""Spark's event logs beyond their cluster: what persistent application user interfaces read.

EMR copies them out of the cluster's HDFS while it lives and keeps them for 30 days ("View persistent application user
interfaces in Amazon EMR"); here they go to ``region/persistent-ui/<cluster>/`` of the home.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from ...applications import webhdfs
from ...applications.spark import EVENTS
from ...home import Home
from ..chores import chore, farewell

if TYPE_CHECKING:
    from ..driver import Driver

log = logging.getLogger(__name__)
EVERY = 15.0  # seconds between two looks at a living cluster
KEPT_DAYS = 30
GOING_ON = ".inprogress"
PLACE = EVENTS.removeprefix("hdfs://")
LOCKS: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
LOOKED: WeakKeyDictionary[Driver, float] = WeakKeyDictionary()


def folder(home: Home, cluster_id: str) -> Path:
    return home.region / "persistent-ui" / cluster_id / "events"


def known(home: Home, cluster_id: str, application: str) -> bool:
    """Whether there is an event log of this YARN application."""
    return any(one.name.startswith(application) for one in folder(home, cluster_id).glob("application_*"))


def collect(home: Home, cluster_id: str, namenode: str) -> None:
    """Bring the copies up to date. ``namenode``: its address. What HDFS does not give now is asked for next time."""
    with LOCKS[cluster_id], contextlib.suppress(OSError):
        copy(namenode, PLACE, folder(home, cluster_id))


def copy(namenode: str, path: str, to: Path) -> None:
    entries = webhdfs.listing(namenode, path)
    to.mkdir(parents=True, exist_ok=True)
    for entry in entries:
        here, there = to / entry.name, f"{path}/{entry.name}"
        if entry.folder:
            copy(namenode, there, here)
            continue
        # An application that has ended has a log of another name and the same content.
        if not here.exists() and (before := to / f"{entry.name}{GOING_ON}").exists():
            before.replace(here)
        going_on = entry.name.endswith(GOING_ON)
        if not going_on and here.exists() and here.stat().st_size >= entry.size:
            continue
        try:
            webhdfs.append(namenode, there, here)
        except OSError as error:
            log.debug("%s is not to be had: %s", there, error)


def has_spark(driver: Driver) -> bool:
    return "Spark" in driver.cluster.applications


@chore
def now_and_then(driver: Driver) -> None:
    if time.monotonic() - LOOKED.get(driver, 0.0) < EVERY or not has_spark(driver):
        return
    LOOKED[driver] = time.monotonic()
    where = (driver.service.home, driver.cluster_id, driver.machines.master.address)
    threading.Thread(target=collect, args=where, name=f"{driver.cluster_id}-event-logs", daemon=True).start()


@farewell
def last(driver: Driver) -> None:
    """The steps have ended, HDFS still answers."""
    if has_spark(driver) and driver.machines.nodes:
        collect(driver.service.home, driver.cluster_id, driver.machines.master.address)


def prune(home: Home) -> None:
    """Forget what EMR would have forgotten."""
    oldest = time.time() - KEPT_DAYS * 24 * 3600
    for place in (home.region / "persistent-ui").glob("j-*"):
        events = place / "events"
        changed = [one.stat().st_mtime for one in (events, *events.rglob("*")) if one.exists()]
        if max(changed, default=0.0) < oldest:
            shutil.rmtree(place, ignore_errors=True)
