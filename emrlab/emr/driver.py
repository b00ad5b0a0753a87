"""One cluster's life, in a thread of its own: STARTING, BOOTSTRAPPING, RUNNING and WAITING in turns, TERMINATING."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from ..applications import missing, prepare
from ..applications.launch import start_up
from ..errors import LabError
from ..nodes.artifacts import Store
from ..nodes.node import Node
from . import bootstrap
from .access import public_access, roles, ssh_access
from .aws import Unanswered
from .chores import CHORES, FAREWELLS
from .closing import clean, close, prune
from .log_archive import LogArchive
from .machines import Machines, dead
from .market.spot_market import market
from .records import Cluster, Fleet, Group, Instance, Step
from .s3 import S3
from .sizing import provisioning
from .sizing.reconfiguration import Reconfiguration
from .sizing.resize import Resize
from .states import WrongTransition
from .step_run import StepRun

if TYPE_CHECKING:
    from .service import EmrService

log = logging.getLogger(__name__)
LOOK_SECONDS = 1.0  # how often a driver that nobody wakes looks at its nodes
ARCHIVE_SECONDS = 300.0  # EMR archives logs every five minutes
TROUBLE_SECONDS = 60.0  # between two tellings of the same trouble
STEP_SECONDS = 5.0  # for steps that are told to end


class Ending(Exception):
    """The cluster must end. ``errors``: as TERMINATED_WITH_ERRORS. ``details``: EMR's ``ErrorDetails``."""

    def __init__(self, code: str, message: str, errors: bool = False, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.errors, self.details = code, message, errors, details


class Driver(threading.Thread):
    """Drives the cluster ``cluster_id``, which is STARTING. ``wake`` it when something about it has changed."""

    def __init__(self, service: EmrService, cluster_id: str) -> None:
        super().__init__(name=cluster_id, daemon=True)
        self.service, self.history, self.cluster_id = service, service.history, cluster_id
        self.condition = threading.Condition()
        cluster = self.cluster
        self.machines = Machines(service.home, cluster, service.endpoint)
        self.s3 = S3(service.endpoint, cluster.account, cluster.region)
        self.archive = LogArchive(self.s3, cluster.log_uri, cluster_id)
        self.archived = time.monotonic()
        self.runs: dict[str, StepRun] = {}
        self.resizes: dict[str, Resize | Reconfiguration] = {}  # by group or fleet
        self.next: dict[str, float] = {}  # when what is done now and then is due again
        self.market = market(service.home)
        self.zone: str = cluster.ec2["Ec2AvailabilityZone"]
        self.going: set[str] = set()  # EC2 ids of instances that are being decommissioned
        self.awake = False

    @property
    def cluster(self) -> Cluster:
        found = self.history.get(Cluster, self.cluster_id)
        assert found is not None
        return found

    # What others may ask

    def wake(self) -> None:
        with self.condition:
            self.awake = True
            self.condition.notify_all()

    def end(self, code: str, message: str) -> None:
        """End the cluster, protected or not."""
        with contextlib.suppress(WrongTransition), self.history.changing(Cluster, self.cluster_id) as cluster:
            cluster.move("TERMINATING", message, code)
        self.wake()

    def cancel(self, step_id: str, kill: bool) -> None:
        if run := self.runs.get(step_id):
            run.cancel(kill)
        self.wake()

    def stopped(self) -> bool:
        return self.cluster.state == "TERMINATING"

    def due(self, name: str, seconds: float) -> bool:
        """Whether it is time again for what is done every so many seconds."""
        now = time.monotonic()
        if now < self.next.get(name, 0.0):
            return False
        self.next[name] = now + seconds
        return True

    @contextlib.contextmanager
    def leaving(self, instances: Iterable[Instance]) -> Iterator[None]:
        """While these are decommissioned: that their daemons end is no failure."""
        names = {one.ec2 for one in instances}
        self.going |= names
        try:
            yield
        finally:
            self.going -= names

    def lose(self, instance: Instance, reason: str, code: str) -> None:
        """An instance ends before its cluster does: its processes, its disk; its logs are kept."""
        member = self.machines.member(instance)
        self.machines.remove(instance)
        with self.history.changing(Instance, instance.id) as now:
            if not now.over:
                now.move("TERMINATED", reason, code)
        if member:
            self.archive.push([member.node.folder])
            clean(member.node)

    # The life

    def run(self) -> None:
        try:
            self.provision()
            self.bootstrap()
            self.install()
            self.work()
        except Ending as ending:
            self.finish(ending)
        except sqlite3.OperationalError as error:
            log.exception("cluster %s", self.cluster_id)
            self.finish(Ending("INTERNAL_ERROR", f"EMR's history cannot be written: {error}", errors=True))
        except Exception as error:
            log.exception("cluster %s", self.cluster_id)
            said = str(error) if isinstance(error, LabError | OSError) else f"{type(error).__name__}: {error}"
            self.finish(Ending("INTERNAL_ERROR", said, errors=True))

    def move(self, state: str, message: str) -> None:
        """Go on to ``state``, unless the cluster is to end."""
        with self.history.changing(Cluster, self.cluster_id) as cluster:
            if cluster.state == "TERMINATING":
                raise Ending(cluster.reason_code, cluster.reason)
            if cluster.state != state:
                cluster.move(state, message)

    def go_on(self) -> None:
        if self.stopped():
            raise Ending(self.cluster.reason_code, self.cluster.reason)

    def say(self, text: str) -> None:
        """Tell what takes long, as the reason of the state that the cluster is in."""
        with self.history.changing(Cluster, self.cluster_id) as cluster:
            if cluster.state == "TERMINATING":
                raise Ending(cluster.reason_code, cluster.reason)
            cluster.reason = text

    def each(self, state: str, *kinds: type[Group] | type[Fleet] | type[Instance]) -> None:
        """All groups, fleets or instances that are not over go on to ``state``."""
        with self.history.transaction():
            for kind in kinds:
                for one in self.history.of(kind, self.cluster_id):
                    if not one.over and one.state != state:
                        with self.history.changing(kind, one.id) as record:
                            record.move(state)

    def provision(self) -> None:
        """STARTING: instances, and everything they need from elsewhere."""
        if said := roles.refused(self.cluster, self.service.endpoint):
            raise Ending("VALIDATION_ERROR", said, errors=True)
        self.admit()
        try:
            provisioning.provision(self)
        except provisioning.TimedOut as late:
            raise Ending("INSTANCE_FLEET_TIMEOUT", str(late), errors=True) from late
        self.machines.site.launched = len(self.machines.site.workers)
        with self.history.changing(Cluster, self.cluster_id) as cluster:
            cluster.master = self.machines.master.address
        self.fetch()
        self.service.settle()
        self.go_on()

    def admit(self) -> None:
        """What EMR looks at before it launches an instance."""
        code = "VALIDATION_ERROR"
        try:
            said = public_access.violation(self.history, self.service.endpoint, self.cluster)
            self.machines.public_key = ssh_access.public_key(self.service.endpoint, self.cluster)
        except ssh_access.InvalidKeyName as error:
            raise Ending(code, str(error), errors=True, details=error.detail) from error
        except Unanswered as error:
            said, code = str(error), code if error.code else "INTERNAL_ERROR"
        if said:
            raise Ending(code, said, errors=True)

    def fetch(self) -> None:
        names = self.cluster.applications
        if wanted := missing(names):
            shown = -1

            def progress(done: int, total: int) -> None:
                nonlocal shown
                if done * 20 // max(1, total) != shown:
                    shown = done * 20 // max(1, total)
                    self.say(f"Downloading {', '.join(names)}: {done / 1e6:.0f} of {total / 1e6:.0f} MB")

            Store().fetch(wanted, ", ".join(names), progress=progress)
            self.say("Preparing the applications")
        prepare(names)

    def bootstrap(self) -> None:
        """BOOTSTRAPPING, first part: the cluster's bootstrap actions on every node."""
        self.move("BOOTSTRAPPING", "Running bootstrap actions")
        self.each("BOOTSTRAPPING", Group, Fleet, Instance)
        master = self.machines.master
        nodes = [(node.folder.name, node is master, node) for node in self.machines.nodes]
        try:
            bootstrap.run(self.cluster.bootstrap_actions, nodes, self.s3, self.stopped)
        except bootstrap.BootstrapError as error:
            self.go_on()
            raise Ending("BOOTSTRAP_FAILURE", str(error), errors=True, details=error.detail) from error
        self.go_on()

    def install(self) -> None:
        """BOOTSTRAPPING, second part: applications, their daemons, until all know each other."""
        try:
            start_up(self.machines.site, stopped=self.stopped)
        except LabError as error:
            self.go_on()
            ec2 = self.machines.master.folder.name
            said = f"On the master instance ({ec2}), application provisioning failed: {error}"
            raise Ending("BOOTSTRAP_FAILURE", said, errors=True) from error
        self.each("RUNNING", Instance, Group, Fleet)

    def work(self) -> None:
        """RUNNING and WAITING: steps, until there is a reason to end."""
        finished = False
        while True:
            with self.condition:
                self.awake = False
            self.go_on()
            self.reap()
            pending = self.history.of(Step, self.cluster_id, ["PENDING"])
            room = self.cluster.step_concurrency - len(self.runs)
            for step in pending[: max(0, room)]:
                finished = True
                self.begin(step)
            if self.runs:
                self.move("RUNNING", "Running step")
            elif not self.cluster.keep_alive:
                raise Ending(*self.all_done())
            else:
                self.move("WAITING", f"Cluster ready {'after last step completed' if finished else 'to run steps'}.")
            self.check_nodes()
            self.do_chores()
            self.archive_now_and_then()
            with self.condition:
                if not self.awake:
                    self.condition.wait(LOOK_SECONDS)

    def do_chores(self) -> None:
        """One that fails must not take the cluster with it."""
        for chore in CHORES:
            try:
                chore(self)
            except (Ending, sqlite3.Error):
                raise
            except Exception:
                if self.due(f"trouble with {chore.__module__}", TROUBLE_SECONDS):
                    log.exception("cluster %s: %s failed", self.cluster_id, chore.__module__)

    def begin(self, step: Step) -> None:
        with self.history.changing(Step, step.id) as now:
            if now.state != "PENDING":
                return
            now.move("RUNNING")
        run = StepRun(
            step, self.history, lambda: self.machines.nodes, self.machines.master, self.s3, self.archive, self.wake
        )
        self.runs[step.id] = run
        run.start()

    def reap(self) -> None:
        """Take leave of steps that are over, and do what they say about failure."""
        for step_id, run in list(self.runs.items()):
            step = self.history.get(Step, step_id)
            if step is None or not step.over:
                continue
            run.join()
            del self.runs[step_id]
            if step.state != "FAILED" or step.action_on_failure == "CONTINUE":
                continue
            self.cancel_pending("Cancelled because an earlier step failed")
            cluster = self.cluster
            if step.action_on_failure == "CANCEL_AND_WAIT" or (cluster.protected and cluster.keep_alive):
                continue
            raise Ending("STEP_FAILURE", "Shut down as step failed", errors=True)

    def cancel_pending(self, reason: str) -> None:
        with self.history.transaction():
            for step in self.history.of(Step, self.cluster_id, ["PENDING"]):
                with self.history.changing(Step, step.id) as now:
                    now.move("CANCELLED", reason)

    def all_done(self) -> tuple[str, str]:
        failed = self.history.of(Step, self.cluster_id, ["FAILED"])
        return ("STEP_FAILURE", "Steps completed with errors") if failed else ("ALL_STEPS_COMPLETED", "Steps completed")

    def check_nodes(self) -> None:
        """A node all of whose daemons have died is an instance that is gone. Without a master there is no cluster."""
        master = self.machines.master
        for name in ("namenode", "resourcemanager"):
            if (code := master.ended(name)) is not None and master.folder.name not in self.going:
                said = f"The master failed: its {name} ended with status {code}."
                raise Ending("INSTANCE_FAILURE", said, errors=True)
        gone = {node.folder.name for node in dead(self.machines.nodes)} - self.going
        for instance in self.history.of(Instance, self.cluster_id, ["RUNNING"]) if gone else ():
            if instance.ec2 in gone:
                self.lose(instance, "The instance failed: all its processes are gone.", "INSTANCE_FAILURE")

    def archive_now_and_then(self) -> None:
        if time.monotonic() - self.archived > ARCHIVE_SECONDS:
            self.archived = time.monotonic()
            self.archive.push([node.folder for node in self.machines.nodes])

    # The end

    def finish(self, ending: Ending) -> None:
        """TERMINATING, then over. Processes end whatever else cannot be done."""
        self.tell(self.terminating, ending)
        for resize in self.resizes.values():
            resize.join(STEP_SECONDS)
        for run in self.runs.values():
            run.interrupt()
        for run in self.runs.values():
            run.join(STEP_SECONDS)
        for farewell in FAREWELLS:
            try:
                farewell(self)
            except Exception:
                log.exception("the end of %s goes on without %s", self.cluster_id, farewell.__module__)
        nodes = self.machines.nodes
        if nodes:
            with ThreadPoolExecutor(len(nodes)) as pool:
                list(pool.map(Node.stop, nodes))
        for run in self.runs.values():
            run.join(STEP_SECONDS)
        self.archive.push([node.folder for node in nodes])
        self.machines.end()
        for node in nodes:
            clean(node)
        self.tell(self.over, ending)
        prune(self.service)
        self.service.forget(self)

    def tell(self, change: Any, ending: Ending) -> None:
        """Write a change, and when that cannot be done (a full disk) go on trying until the service stops."""
        while True:
            try:
                with self.history.transaction():
                    change(ending)
                return
            except sqlite3.OperationalError as error:
                log.error("the state of %s cannot be written: %s", self.cluster_id, error)
                if self.service.stopping.wait(LOOK_SECONDS):
                    return

    def terminating(self, ending: Ending) -> None:
        with self.history.changing(Cluster, self.cluster_id) as cluster:
            if cluster.state != "TERMINATING":
                cluster.move("TERMINATING", ending.message, ending.code)
            if ending.details:
                cluster.error_details = [ending.details]
        self.cancel_pending("Cancelled because the cluster is being terminated")
        self.each("TERMINATING", Group, Fleet)

    def over(self, ending: Ending) -> None:
        close(self.service, self.cluster_id, ending.errors)
