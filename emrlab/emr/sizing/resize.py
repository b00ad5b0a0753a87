"""A group or fleet on its way to the size it is to have, in a thread: instances join, instances leave.

See "Manually resize a running Amazon EMR cluster" and "Cluster scale-down options for Amazon EMR clusters".
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...applications.hadoop_drain import drain, readmit
from ...applications.launch import start_up
from ...nodes.addresses import NoAddress
from .. import bootstrap, events
from ..records import Collection, Fleet, Instance
from ..states import WrongTransition
from . import capacity, provisioning, shortage

if TYPE_CHECKING:
    from ..driver import Driver

log = logging.getLogger(__name__)
LOOK_SECONDS = 1.0


class Resize(threading.Thread):
    """Brings one group or fleet of ``driver``'s cluster to its wanted size, and to RUNNING."""

    def __init__(self, driver: Driver, collection: Collection) -> None:
        super().__init__(name=f"resize {collection.id}", daemon=True)
        self.driver, self.history, self.machines = driver, driver.history, driver.machines
        self.kind, self.id = type(collection), collection.id

    @property
    def collection(self) -> Collection:
        found = self.history.get(self.kind, self.id)
        assert found is not None
        return found

    def stopped(self) -> bool:
        return self.driver.stopped()

    def run(self) -> None:
        try:
            self.work()
        except Exception as error:  # a bootstrap action that fails, a daemon that does not start, a full disk
            if not self.stopped():
                log.warning("%s of %s could not be resized: %s", self.id, self.driver.cluster_id, error)
                if isinstance(error, NoAddress):
                    self.driver.service.events.say(events.reconfiguration.error(self.driver.cluster, str(error)))
                self.settle("SUSPENDED", str(error), "INSTANCE_FAILURE")
        finally:
            self.driver.wake()

    def work(self) -> None:
        while not self.stopped():
            plan = capacity.plan(self.driver, self.collection)
            if plan.launch:
                self.grow(plan)
            elif plan.leave:
                self.shrink(plan.leave)
            elif plan.waiting:
                collection = self.collection
                if isinstance(collection, Fleet) and provisioning.give_up(self.driver, collection):
                    continue
                shortage.tell(self.driver, collection, plan.waiting)
                self.say(plan.waiting)
                self.driver.service.stopping.wait(LOOK_SECONDS)
            else:
                self.settle("RUNNING")
                return

    def settle(self, state: str, reason: str = "", code: str = "") -> None:
        try:
            with self.history.changing(self.kind, self.id) as now:
                if now.state == "PROVISIONING" and state == "RUNNING":
                    now.move("BOOTSTRAPPING")
                now.move(state, reason, code)
        except WrongTransition:  # the cluster ends
            log.info("%s is no longer to be %s", self.id, state)

    def say(self, text: str) -> None:
        with self.history.changing(self.kind, self.id) as now:
            now.reason = text

    # Growing

    def grow(self, plan: capacity.Plan) -> None:
        """Instances join: bootstrap actions, applications, daemons. Raises when one of them does not work."""
        collection = self.collection
        made = self.machines.make(collection, plan.launch)
        self.history.add(*made)
        try:
            if collection.state == "PROVISIONING":
                with self.history.changing(self.kind, self.id) as now:
                    now.move("BOOTSTRAPPING")
            self.each(made, "BOOTSTRAPPING")
            members = [member for one in made if (member := self.machines.member(one))]
            nodes = [(one.node.folder.name, False, one.node) for one in members]
            bootstrap.run(self.driver.cluster.bootstrap_actions, nodes, self.driver.s3, self.stopped)
            if not self.stopped():
                start_up(self.machines.site, members, stopped=self.stopped)
                self.each(made, "RUNNING")
        except BaseException as error:
            failed = isinstance(error, bootstrap.BootstrapError)
            for one in made:
                self.driver.lose(one, str(error), "BOOTSTRAP_FAILURE" if failed else "INSTANCE_FAILURE")
            raise

    def each(self, instances: Sequence[Instance], state: str) -> None:
        with self.history.transaction():
            for one in instances:
                with self.history.changing(Instance, one.id) as now:
                    if not now.over and now.state != state:
                        now.move(state)

    # Shrinking

    def shrink(self, leaving: Sequence[Instance]) -> None:
        """Instances leave: those told to, at once; the others when nothing is lost with them."""
        now = [one for one in leaving if capacity.at_once(self.collection, one)]
        for one in now:
            self.driver.lose(one, "Instance was terminated by request.", "")
        later = [one for one in leaving if one not in now]
        if not later:
            return
        members = [member for one in later if (member := self.machines.member(one))]
        target = capacity.target(self.collection)
        with self.driver.leaving(later):
            gone = drain(
                self.machines.site,
                members,
                capacity.patience(self.collection, later),
                lambda: self.stopped() or capacity.target(self.collection) != target,
                self.say,
            )
            if gone:
                for one in later:
                    self.driver.lose(one, "Instance was terminated when the cluster was resized.", "")
            elif not self.stopped():
                readmit(self.machines.site, members)
