"""All that EMR remembers, in one SQLite file, written through: a killed region loses nothing it has answered."""

from __future__ import annotations

import copy
import json
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from ..database import opened
from .records import Record

R = TypeVar("R", bound=Record)
# Told of a record that was written, and the state it had before; None: it is new.
Watcher = Callable[[Record, str | None], None]
# The same of all that a transaction has written, inside it: what a recorder writes is kept or lost with it.
Recorder = Callable[[Sequence[tuple[Record, str | None]]], None]
log = logging.getLogger(__name__)
SCHEMA = """
create table if not exists records (
    number integer primary key,
    kind text not null,
    id text not null unique,
    cluster text not null,
    state text not null,
    created real not null,
    body text not null
);
create index if not exists by_cluster on records (kind, cluster, number);
create index if not exists by_time on records (kind, created);
"""


class History:
    """Records by id. Those handed out are copies: change one inside ``changing``."""

    def __init__(self, file: Path) -> None:
        self.lock = threading.RLock()
        self.watchers: list[Watcher] = []
        self.recorders: list[Recorder] = []
        self.written: list[tuple[Record, str | None]] = []  # in the transaction that runs
        self.base = opened(file, SCHEMA)

    def close(self) -> None:
        with self.lock:
            self.base.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; nobody else changes anything meanwhile. ``watchers`` hear of it when it is on disk."""
        with self.lock:
            if self.base.in_transaction:
                yield
                return
            self.base.execute("begin immediate")
            self.written = []
            try:
                yield
                for recorder in self.recorders:
                    recorder(self.written)
                self.base.execute("commit")
            except BaseException:
                if self.base.in_transaction:
                    self.base.execute("rollback")
                raise
            self.tell()

    def tell(self) -> None:
        """In the order of the changes, under the lock: a watcher only takes note and does its work elsewhere."""
        for record, before in self.written:
            for watcher in self.watchers:
                try:
                    watcher(record, before)
                except Exception:
                    log.exception("a change of %s was not taken note of", record.id)

    def add(self, *records: Record) -> None:
        with self.transaction():
            self.base.executemany(
                "insert into records (kind, id, cluster, state, created, body) values (?, ?, ?, ?, ?, ?)",
                [(kind(one), one.id, one.cluster, one.state, one.created, written(one)) for one in records],
            )
            self.written += [(copy.deepcopy(one), None) for one in records]

    @contextmanager
    def changing(self, record_type: type[R], record_id: str) -> Iterator[R]:
        """The record, to be changed inside the block and saved at its end. Raises ``KeyError``."""
        with self.transaction():
            record = self.get(record_type, record_id)
            if record is None:
                raise KeyError(record_id)
            before = record.state
            yield record
            self.base.execute(
                "update records set state = ?, body = ? where id = ?", (record.state, written(record), record.id)
            )
            self.written.append((copy.deepcopy(record), before))

    def remove(self, record_type: type[R], record_id: str) -> None:
        """Forget a record that may be deleted: a Studio, a security configuration."""
        with self.transaction():
            self.base.execute("delete from records where kind = ? and id = ?", (record_type.__name__, record_id))

    def get(self, record_type: type[R], record_id: str) -> R | None:
        found = self.select(record_type, "id = ?", [record_id])
        return found[0] if found else None

    def body(self, record_id: str) -> dict[str, Any] | None:
        """What is written of a record of whatever type."""
        with self.lock:
            row = self.base.execute("select body from records where id = ?", [record_id]).fetchone()
        return json.loads(row[0]) if row else None

    def of(self, record_type: type[R], cluster_id: str, states: Sequence[str] = ()) -> list[R]:
        """A cluster's records in the order they were added; of ``states`` only, when there are some."""
        where, values = "cluster = ?", [cluster_id]
        if states:
            where += f" and state in ({marks(states)})"
            values += states
        return self.select(record_type, f"{where} order by number", values)

    def in_states(self, record_type: type[R], states: Sequence[str]) -> list[R]:
        return self.select(record_type, f"state in ({marks(states)}) order by number", list(states))

    def select(self, record_type: type[R], where: str, values: Sequence[object]) -> list[R]:
        """Records that fit an SQL condition over kind, id, cluster, state, created, number and body."""
        with self.lock:
            rows = self.base.execute(
                f"select body, state from records where kind = ? and {where}", [record_type.__name__, *values]
            ).fetchall()
        return [record_type(**json.loads(body)) for body, _ in rows]


def kind(record: Record) -> str:
    return type(record).__name__


def written(record: Record) -> str:
    return json.dumps(asdict(record), ensure_ascii=False)


def marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
