"""Other settings for the nodes of a running instance group: files written anew, daemons restarted node by node.

See "Reconfigure an instance group in a running cluster".
"""

from __future__ import annotations

import copy
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..applications import application
from ..applications.launch import reconfigure
from . import events
from .records import Group, Instance

if TYPE_CHECKING:
    from .driver import Driver

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


class Reconfiguration(threading.Thread):
    """Brings the nodes of a group that is RECONFIGURING to its configurations, or back to the last good ones."""

    def __init__(self, driver: Driver, group: Group) -> None:
        super().__init__(name=f"reconfigure {group.id}", daemon=True)
        self.driver, self.history, self.group = driver, driver.history, group

    def run(self) -> None:
        try:
            self.work()
        finally:
            self.driver.wake()

    def work(self) -> None:
        group, begun = self.group, time.time()
        try:
            self.apply(group.last_good, group.configurations)
        except Exception as error:
            if self.driver.stopped():
                return
            log.warning("%s could not be reconfigured: %s", group.id, error)
            cluster, running = self.driver.cluster, len(self.instances())
            self.driver.service.events.say(
                events.reconfiguration.failed(cluster, group, running, begun),
                events.reconfiguration.reverting(cluster, group, running),
            )
            self.revert(str(error))
            return
        with self.history.changing(Group, group.id) as now:
            if now.state == "RECONFIGURING":
                now.last_good, now.last_good_version = group.configurations, group.version
                now.move("RUNNING")

    def revert(self, trouble: str) -> None:
        """EMR goes back to the last configurations that worked; a group where that fails too is ARRESTED."""
        group = self.group
        said = (
            f"Reconfiguration to version {group.version} failed, version {group.last_good_version} is in force again: "
        )
        state, code = "RUNNING", ""
        try:
            self.apply(group.configurations, group.last_good)
        except Exception as error:
            log.warning("%s could not be brought back: %s", group.id, error)
            said = f"Reconfiguration to version {group.version} failed, and so did going back ({error}): "
            state, code = "ARRESTED", "INTERNAL_ERROR"
        with self.history.changing(Group, group.id) as now:
            if now.state == "RECONFIGURING":
                now.move(state, said + trouble, code)

    def apply(self, old: Configurations, new: Configurations) -> None:
        """Raises ``LabError`` when a daemon does not come up with ``new``."""
        driver, machines = self.driver, self.driver.machines
        base = application.merged(driver.cluster.configurations)
        before, after = application.merged(old, base), application.merged(new, base)
        changed = {name.partition(".")[0] for name in {*before, *after} if before.get(name, {}) != after.get(name, {})}
        for one in self.instances():
            if member := machines.member(one):
                member.settings = after
                with driver.leaving([one]):
                    reconfigure(machines.site, member, changed, driver.stopped)

    def instances(self) -> list[Instance]:
        return [
            one
            for one in self.history.of(Instance, self.driver.cluster_id, ["RUNNING"])
            if one.group == self.group.id and one.ec2 not in self.driver.going
        ]
