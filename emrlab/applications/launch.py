"""Applications brought to life on nodes: installed, configured, their daemons started and waited for."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from ..errors import LabError
from ..nodes.node import Daemon, tail
from ..nodes.waiting import until
from . import hadoop_sites, resolve
from .application import Application, Member, Say, Settings, Site

THREADS = 8  # nodes that are installed at once: it is work on files
LINES = 15  # of a log, in an error
# Of a log's lines those that hide the reason: stack frames, and the banner of a daemon's farewell.
NOISE = re.compile(r"\s+at [\w.$/]+\(|\s+\.\.\. \d+ more|/?\*{20,}/?$|SHUTDOWN_MSG|.*\bSHUTDOWN_MSG: $")


class Cancelled(LabError):
    """The caller's ``stopped()`` said so while applications were starting."""


def start_up(
    site: Site,
    members: Sequence[Member] | None = None,
    say: Say | None = None,
    stopped: Callable[[], bool] = lambda: False,
    seconds: float = 180,
) -> None:
    """Put the site's applications on ``members`` (default: all) and return when every one of them is healthy.

    ``members`` that join later must be in ``site.members`` already; the others learn their names. Daemons that are
    not needed (the MapReduce history server) start behind, after this has returned. ``seconds``: the most it may take.

    Raises ``Cancelled`` when ``stopped()``, ``LabError`` when files cannot be written or a daemon ends or does not
    answer: node, daemon, exit status and the end of its log are in the message. What was started runs on then:
    ``Node.stop`` ends it. See "Configure applications" and "Configure cluster hardware" in the EMR guides.
    """
    chosen = list(site.members if members is None else members)
    applications = resolve(site.applications)
    for one in applications:
        one.prepare(say)
    site.additions = additions(applications, site)
    if say:
        say(f"Installing {', '.join(one.name for one in applications)} on {nodes(chosen)} …")
    in_parallel(lambda member: install(applications, site, member), chosen)
    for member in site.members:
        if member not in chosen:
            hadoop_sites.hosts(site, member)
    launch = Launch(stopped, time.monotonic() + seconds)
    for member in chosen:
        for one in applications:
            for daemon in one.daemons(site, member):
                launch.add(member, daemon)
    if say:
        say(f"Starting {len(launch.needed)} daemons on {nodes(chosen)} …")
    launch.begin()
    launch.wait("ready", lambda: all(one.ready for one in launch.needed))
    if any(member.role == "MASTER" for member in chosen):
        for one in applications:
            one.settle(site)
    for one in applications:
        launch.wait(f"{one.name} healthy", lambda one=one: one.healthy(site))  # type: ignore[misc]
    if say:
        say("All daemons answer.")


def reconfigure(
    site: Site,
    member: Member,
    classifications: Iterable[str],
    stopped: Callable[[], bool] = lambda: False,
    seconds: float = 120,
) -> None:
    """Write a node's files anew from its settings, and restart the daemons that read these ``classifications``.

    Raises ``Cancelled`` and ``LabError`` as ``start_up`` does.
    """
    changed = set(classifications)
    applications = resolve(site.applications)
    install(applications, site, member)
    launch = Launch(stopped, time.monotonic() + seconds)
    for one in applications:
        names = {name for each in changed for name in one.restarts.get(each, ())}
        for daemon in one.daemons(site, member):
            if daemon.name in names:
                member.node.end(daemon.name)
                launch.add(member, daemon)
    launch.begin()
    launch.wait("ready", lambda: all(one.ready for one in launch.needed))
    for one in applications:
        launch.wait(f"{one.name} healthy", lambda one=one: one.healthy(site))  # type: ignore[misc]


def additions(applications: Iterable[Application], site: Site) -> Settings:
    """What the applications add to each other's files."""
    found: Settings = {}
    for one in applications:
        for name, properties in one.additions(site).items():
            found.setdefault(name, {}).update(properties)
    return found


def install(applications: Iterable[Application], site: Site, member: Member) -> None:
    """All of the applications' files on one node, and what a login there has. Raises ``LabError``."""
    try:
        member.node.make()
        for one in applications:
            one.install(site, member)
        member.node.write_environment()
    except OSError as error:
        raise LabError(f"{member.node.name} cannot be installed ({error}). Free some space on its disk.") from error


def in_parallel(work: Callable[[Member], None], members: Sequence[Member]) -> None:
    """Do ``work`` for all ``members``; the first error is raised when all are through."""
    with ThreadPoolExecutor(min(THREADS, max(1, len(members))), "install") as pool:
        for result in [pool.submit(work, member) for member in members]:
            result.result()


def nodes(members: Sequence[Member]) -> str:
    return members[0].node.name if len(members) == 1 else f"{len(members)} nodes"


@dataclass(eq=False)
class Started:
    """A daemon on its way: ``begun``: its process exists; ``ready``: it answers; ``trouble``: why it never will."""

    member: Member
    daemon: Daemon
    begun: bool = False
    ready: bool = False
    trouble: str = ""

    @property
    def place(self) -> str:
        return f"{self.daemon.name} on {self.member.node.name} ({self.member.role.lower()} node)"

    @property
    def said(self) -> str:
        """The end of its log."""
        text = tail(self.member.node.path("var", "log", self.daemon.log), 16384)
        lines = [line for line in text.splitlines() if line.strip() and not NOISE.match(line)][-LINES:]
        return f" The end of its log, {self.member.node.path('var', 'log', self.daemon.log)}:\n" + "\n".join(lines)


@dataclass
class Launch:
    """Daemons that are started together, each in a thread that waits for what it must come after."""

    stopped: Callable[[], bool]
    deadline: float
    all: list[Started] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    def add(self, member: Member, daemon: Daemon) -> None:
        self.all.append(Started(member, daemon))

    @property
    def needed(self) -> list[Started]:
        return [one for one in self.all if one.daemon.needed]

    def begin(self) -> None:
        for one in self.all:
            threading.Thread(target=self._run, args=(one,), name=f"start {one.daemon.name}", daemon=True).start()

    def _run(self, one: Started) -> None:
        try:
            daemon, node = one.daemon, one.member.node
            if daemon.after is not None and not until(daemon.after, self._left(), self._quits):
                return
            node.start(daemon)
            one.begun = True
            one.ready = until(
                lambda: node.ended(daemon.name) is not None or daemon.ready(), self._left(), self._quits
            ) and (node.ended(daemon.name) is None)
        except (LabError, OSError) as error:
            one.trouble = str(error) or type(error).__name__

    def _quits(self) -> bool:
        return self._over.is_set() or self.stopped()

    def _left(self) -> float:
        return max(0.0, self.deadline - time.monotonic())

    def wait(self, what: str, condition: Callable[[], bool]) -> None:
        """Until ``condition`` holds, while all needed daemons live. Raises as ``start_up`` does."""
        met = until(lambda: condition() or bool(self._lost()), self._left(), self.stopped)
        if self.stopped():
            self._over.set()
            raise Cancelled("The cluster was ended while its applications were starting.")
        if (lost := self._lost()) or not met:
            self._over.set()
            raise LabError(lost or self._late(what))

    def _lost(self) -> str:
        """What to tell of a needed daemon that is no more; empty while all live."""
        for one in self.needed:
            if one.trouble:
                return f"{one.place} could not be started: {one.trouble}"
            status = one.member.node.ended(one.daemon.name) if one.begun else None
            if status is not None:
                return f"{one.place} ended with exit status {status}.{one.said}"
        return ""

    def _late(self, what: str) -> str:
        for one in self.needed:
            if not one.begun:
                return f"{one.place} was not started: what it must come after did not happen in time."
            if not one.ready:
                return f"{one.place} runs but does not answer in time.{one.said}"
        logs = ", ".join(sorted({str(one.member.node.path("var", "log")) for one in self.needed}))
        return f"The cluster's daemons run, but it was not {what} in time. See their logs in {logs}"
