"""Events on their way: kept on disk until they are sent, so that each is sent at least once.

An event is written in the transaction of the change that it tells. One thread sends, in the order of the changes, and
strikes out what was sent; what a killed region had not struck out, the next one sends (again).
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import asdict

from ..history import History
from .event import Event

log = logging.getLogger(__name__)
Publish = Callable[[Event], None]
SCHEMA = "create table if not exists outbox (number integer primary key autoincrement, event text not null)"
AT_ONCE = 100
TRIES = 3
AGAIN_SECONDS = 1.0


class Outbox(threading.Thread):
    """``publish`` hands an event to EventBridge; called in this thread."""

    def __init__(self, history: History, publish: Publish) -> None:
        super().__init__(name="events", daemon=True)
        self.history, self.publish = history, publish
        self.wanted, self.stopping = threading.Event(), threading.Event()
        with history.lock:
            history.base.execute(SCHEMA)

    def put(self, events: Iterable[Event]) -> None:
        """Keep ``events`` for sending: in the transaction that runs, if one does."""
        rows = [(json.dumps(asdict(one), ensure_ascii=False),) for one in events]
        if not rows:
            return
        with self.history.transaction():
            self.history.base.executemany("insert into outbox (event) values (?)", rows)
        self.wanted.set()

    def run(self) -> None:
        while True:
            self.wanted.wait()
            self.wanted.clear()
            last = self.stopping.is_set()
            try:
                while self.send_some():
                    pass
            except Exception:  # a full disk: what was sent cannot be struck out
                log.exception("events are held up")
                self.stopping.wait(AGAIN_SECONDS)
                self.wanted.set()
            if last:
                return

    def send_some(self) -> bool:
        """Send the oldest ones; whether there may be more."""
        with self.history.lock:
            rows = self.history.base.execute(
                "select number, event from outbox order by number limit ?", [AT_ONCE]
            ).fetchall()
        if not rows:
            return False
        for _, text in rows:
            self.send(Event(**json.loads(text)))
        with self.history.transaction():
            self.history.base.execute("delete from outbox where number <= ?", [rows[-1][0]])
        return len(rows) == AT_ONCE

    def send(self, event: Event) -> None:
        for attempt in range(TRIES):
            try:
                self.publish(event)
                return
            except Exception:
                log.exception("event %s of %s was not sent (attempt %s)", event.kind, event.cluster, attempt + 1)

    def stop(self, seconds: float) -> None:
        """Send what is there, then end; what takes longer than ``seconds`` is sent after the next start."""
        self.stopping.set()
        self.wanted.set()
        if self.is_alive():
            self.join(seconds)
