"""Other settings for the nodes of a running group or fleet: files written anew, daemons restarted node by node.

See "Reconfigure an instance group in a running cluster" and "Reconfiguring instance fleets".
"""

from __future__ import annotations

import copy
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...applications import application
from ...applications.launch import reconfigure
from .. import events
from ..machines import configurations
from ..records import Collection, Fleet, Group, Instance

if TYPE_CHECKING:
    from ..driver import Driver

log = logging.getLogger(__name__)
Configurations = list[dict[str, Any]]


def merged(old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]) -> Configurations:
    """``old`` with the properties of ``new`` over it (ReconfigurationType MERGE)."""
    found = {one["Classification"]: copy.deepcopy(dict(one)) for one in old}
    for one in new:
        known = found.setdefault(one["Classification"], {"Classification": one["Classification"]})
        if one.get("Properties"):
            known["Properties"] = {**(known.get("Properties") or {}), **one["Properties"]}
        if one.get("Configurations"):
            known["Configurations"] = merged(known.get("Configurations") or [], one["Configurations"])
    return list(found.values())


def last_good(collection: Collection) -> Collection:
    """The collection with the configurations that were last in force everywhere."""
    found = copy.deepcopy(collection)
    if isinstance(found, Group):
        found.configurations = found.last_good
    else:
        found.types = found.last_good or found.types
    return found


class Reconfiguration(threading.Thread):
    """Brings the nodes of what is RECONFIGURING to its configurations, or back to the last good ones."""

    def __init__(self, driver: Driver, collection: Collection) -> None:
        super().__init__(name=f"reconfigure {collection.id}", daemon=True)
        self.driver, self.history, self.collection = driver, driver.history, collection
        self.since = time.time()

    def run(self) -> None:
        try:
            self.work()
        finally:
            self.driver.wake()

    def work(self) -> None:
        now, good = self.collection, last_good(self.collection)
        self.tell_fleet("started")
        try:
            self.apply(good, now)
        except Exception as error:
            if self.driver.stopped():
                return
            log.warning("%s could not be reconfigured: %s", now.id, error)
            self.revert(good, str(error))
            return
        self.tell_fleet("completed")
        self.conclude(now, "RUNNING")

    def revert(self, good: Collection, trouble: str) -> None:
        """EMR goes back to the last configurations that worked; a group where that fails too is ARRESTED.

        What is in force then has a version of its own.
        """
        failed = self.collection
        self.tell_failure(trouble)
        said = f"Reconfiguration failed: {trouble} The configurations before it are in force again."
        try:
            self.apply(failed, good)
        except Exception as error:
            log.warning("%s could not be brought back: %s", failed.id, error)
            self.tell_fleet("not reverted", str(error))
            said = f"Reconfiguration failed: {trouble} Going back failed too: {error}"
            self.conclude(good, "ARRESTED" if isinstance(failed, Group) else "SUSPENDED", said, "INTERNAL_ERROR")
            return
        self.tell_fleet("reverted")
        self.conclude(good, "RUNNING", said)

    def conclude(self, now: Collection, state: str, reason: str = "", code: str = "") -> None:
        """``now``: with the configurations that are in force."""
        with self.history.changing(type(now), now.id) as record:
            if record.state != "RECONFIGURING":
                return
            if isinstance(record, Group) and isinstance(now, Group):
                record.last_good, record.configurations = now.configurations, now.configurations
                if not reason:
                    record.last_good_version = record.version
            elif isinstance(record, Fleet) and isinstance(now, Fleet):
                record.last_good, record.types = now.types, now.types
            record.move(state, reason, code)

    def apply(self, old: Collection, new: Collection) -> None:
        """Raises ``LabError`` when a daemon does not come up with ``new``."""
        driver, machines = self.driver, self.driver.machines
        base = application.merged(driver.cluster.configurations)
        for one in self.history.of(Instance, driver.cluster_id, ["RUNNING"]):
            member = machines.member(one)
            if one.group != new.id or one.ec2 in driver.going or member is None:
                continue
            before = application.merged(configurations(old, one.instance_type), base)
            after = application.merged(configurations(new, one.instance_type), base)
            names = {*before, *after}
            changed = {name.partition(".")[0] for name in names if before.get(name, {}) != after.get(name, {})}
            if changed:
                member.settings = after
                with driver.leaving([one]):
                    reconfigure(machines.site, member, changed, driver.stopped)

    # Events

    def tell_fleet(self, what: str, reason: str = "") -> None:
        fleet = self.collection
        if isinstance(fleet, Fleet):
            have = events.Capacity.of(fleet, self.history.of(Instance, fleet.cluster, ["RUNNING"]))
            self.say(events.reconfiguration.of_fleet(self.driver.cluster, fleet, have, what, reason))

    def tell_failure(self, trouble: str) -> None:
        group = self.collection
        if isinstance(group, Fleet):
            self.tell_fleet("failed", trouble)
            self.tell_fleet("reverting")
            return
        running = sum(one.group == group.id for one in self.history.of(Instance, group.cluster, ["RUNNING"]))
        cluster = self.driver.cluster
        self.say(events.reconfiguration.failed(cluster, group, running, self.since))
        with self.history.changing(Group, group.id) as now:
            now.version += 1
        self.say(events.reconfiguration.reverting(cluster, now, running))

    def say(self, event: events.Event) -> None:
        self.driver.service.events.say(event)
