"""Recorded API calls, in one SQLite file: the event history, and what trails have yet to deliver."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..database import opened

SCHEMA = """
create table if not exists events (
    number integer primary key autoincrement,
    account text not null, region text not null, ended real not null,
    EventId text not null, EventName text not null, EventSource text not null,
    ReadOnly text not null, Username text not null, AccessKeyId text not null,
    resources text not null, body text not null
);
create index if not exists by_account on events (account, region, number);
create table if not exists resources (number integer not null, ResourceName text not null, ResourceType text not null);
create index if not exists by_name on resources (ResourceName, number);
create index if not exists by_type on resources (ResourceType, number);
create index if not exists by_number on resources (number);
create table if not exists delivered (trail text primary key, number integer not null, at real, error text);
"""
COLUMNS = ("EventId", "EventName", "EventSource", "ReadOnly", "Username", "AccessKeyId")
RESOURCE_COLUMNS = ("ResourceName", "ResourceType")
DAYS = 90
# Reads are many, of consoles and widgets that poll: they must not push out what was changed.
KEPT = {"true": 20_000, "false": 30_000}


@dataclass(frozen=True)
class Kept:
    """One record with what it is found by. ``resources``: names and types."""

    account: str
    ended: float
    username: str
    resources: Mapping[str, str]
    body: Mapping[str, Any]


class WrongToken(ValueError):
    """A token that no answer has given."""


class AuditStore:
    """Safe for any thread."""

    def __init__(self, file: Path) -> None:
        self.lock = threading.Lock()
        self.base = opened(file, SCHEMA)

    def close(self) -> None:
        with self.lock:
            self.base.close()

    def add(self, records: Iterable[Kept]) -> None:
        with self.lock:
            self.base.execute("begin immediate")
            try:
                for one in records:
                    self.insert(one)
                self.base.execute("commit")
            except BaseException:
                if self.base.in_transaction:
                    self.base.execute("rollback")
                raise

    def insert(self, one: Kept) -> None:
        body = one.body
        row = self.base.execute(
            "insert into events (account, region, ended, EventId, EventName, EventSource, ReadOnly, Username, "
            "AccessKeyId, resources, body) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                *(one.account, body["awsRegion"], one.ended, body["eventID"], body["eventName"], body["eventSource"]),
                *(json.dumps(body["readOnly"]), one.username, body["userIdentity"].get("accessKeyId", "")),
                *(json.dumps(one.resources), json.dumps(body, ensure_ascii=False, default=str)),
            ],
        )
        if one.resources:
            self.base.executemany(
                "insert into resources values (?, ?, ?)",
                [(row.lastrowid, name, kind) for name, kind in one.resources.items()],
            )

    def prune(self) -> None:
        """Forget what is too old or too much."""
        with self.lock:
            for read_only, kept in KEPT.items():
                self.base.execute(
                    "delete from events where ReadOnly = ? and (ended < ? or number <= "
                    "(select number from events where ReadOnly = ? order by number desc limit 1 offset ?))",
                    [read_only, time.time() - DAYS * 86400, read_only, kept],
                )
            self.base.execute("delete from resources where number not in (select number from events)")

    def find(
        self,
        account: str,
        region: str,
        attributes: Mapping[str, str],
        since: float | None,
        until: float | None,
        limit: int,
        token: str = "",
    ) -> tuple[list[dict[str, Any]], str]:
        """Events as LookupEvents tells them, newest first, and a token for the next ones. Raises ``WrongToken``."""
        where, values = ["account = ?", "region = ?"], [account, region]
        found: list[Any] = values
        for name, value in attributes.items():
            if name in COLUMNS:
                where.append(f"{name} = ?")
            elif name in RESOURCE_COLUMNS:
                where.append(f"number in (select number from resources where {name} = ?)")
            else:
                raise ValueError(name)
            found.append(value)
        for condition, moment in (("ended >= ?", since), ("ended <= ?", until)):
            if moment is not None:
                where.append(condition)
                found.append(moment)
        if token:
            where.append("number < ?")
            found.append(number_of(token))
        with self.lock:
            rows = self.base.execute(
                f"select number, ended, resources, body, {', '.join(COLUMNS)} from events "
                f"where {' and '.join(where)} order by number desc limit ?",
                [*found, limit + 1],
            ).fetchall()
        told = [
            {
                **dict(zip(COLUMNS, row[4:], strict=True)),
                "EventTime": row[1],
                "Resources": [
                    {"ResourceType": kind, "ResourceName": name} for name, kind in json.loads(row[2]).items()
                ],
                "CloudTrailEvent": row[3],
            }
            for row in rows[:limit]
        ]
        return told, token_of(rows[limit - 1][0]) if len(rows) > limit else ""

    # Trails

    def before(self, account: str, moment: float) -> int:
        """The number of the last event before ``moment``."""
        with self.lock:
            (number,) = self.base.execute(
                "select coalesce(max(number), 0) from events where account = ? and ended < ?", [account, moment]
            ).fetchone()
        return int(number)

    def waiting(
        self, account: str, region: str | None, after: int, limit: int, until: float | None = None
    ) -> list[tuple[int, str, str, dict[str, Any]]]:
        """Number, region, text and content of events that come ``after``; ``region`` None: of all regions."""
        where, values = "account = ? and number > ?", [account, after]
        for condition, value in (("region = ?", region), ("ended < ?", until)):
            if value is not None:
                where, values = f"{where} and {condition}", [*values, value]
        with self.lock:
            rows = self.base.execute(
                f"select number, region, body from events where {where} order by number limit ?", [*values, limit]
            ).fetchall()
        return [(*row, json.loads(row[2])) for row in rows]

    def delivered(self, trail: str) -> tuple[int, float | None, str] | None:
        """Up to which event a trail was delivered, when, and what went wrong since."""
        with self.lock:
            row = self.base.execute("select number, at, error from delivered where trail = ?", [trail]).fetchone()
        return (row[0], row[1], row[2] or "") if row else None

    def deliver(self, trail: str, number: int, at: float | None, error: str = "") -> None:
        with self.lock:
            self.base.execute("insert or replace into delivered values (?, ?, ?, ?)", [trail, number, at, error])


def token_of(number: int) -> str:
    return base64.urlsafe_b64encode(f"before {number}".encode()).decode()


def number_of(token: str) -> int:
    try:
        word, _, number = base64.urlsafe_b64decode(token.encode()).decode().partition(" ")
        if word == "before":
            return int(number)
    except ValueError:
        pass
    raise WrongToken(token)
