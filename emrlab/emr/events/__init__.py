"""EMR's events for EventBridge.

A cluster's changes of state become events by themselves. What is no change of state is said where it happens:
``service.events.say(events.scaling.policy_attached(cluster, group))``, with a function of ``scaling``, ``capacity``,
``reconfiguration``, ``health`` or ``ec2``; said inside a transaction of the history, it is kept only with that one.
"""

from __future__ import annotations

import logging
import sqlite3

from ..history import History
from . import capacity, ec2, health, reconfiguration, scaling
from .changes import Changes, Written
from .event import Capacity, Event, Kind
from .outbox import Outbox, Publish

__all__ = ["Capacity", "Event", "Events", "Kind", "capacity", "ec2", "health", "reconfiguration", "scaling"]
log = logging.getLogger(__name__)
STOP_SECONDS = 2.0


class Events:
    """Of one service. ``publish`` None: nobody listens, and nothing is kept."""

    def __init__(self, history: History, publish: Publish | None) -> None:
        self.changes = Changes(history)
        self.outbox = Outbox(history, publish) if publish else None
        if self.outbox:
            history.recorders.append(self.record)

    def start(self) -> None:
        """Send what an earlier run left, and from now on what comes."""
        if self.outbox:
            self.outbox.wanted.set()
            self.outbox.start()

    def stop(self) -> None:
        if self.outbox:
            self.outbox.stop(STOP_SECONDS)

    def record(self, written: Written) -> None:
        assert self.outbox
        try:
            found = self.changes(written)
        except sqlite3.Error:
            raise
        except Exception:  # a defect here must not keep a cluster from living
            log.exception("changes of %s are not told", ", ".join(record.id for record, _ in written))
            return
        self.outbox.put(found)

    def say(self, *events: Event) -> None:
        """Tell what no change of state tells."""
        for one in events:
            self.changes.heard(one)
        if self.outbox:
            self.outbox.put(events)
