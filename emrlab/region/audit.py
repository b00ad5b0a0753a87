"""Every API call of every service, recorded for CloudTrail: by whom, with what, and how it ended.

The gateway only takes note; one thread makes records of the notes and writes them, some at a time.
"""

from __future__ import annotations

import contextvars
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from ..errors import AwsError
from . import audit_record, ministack_trails
from .audit_store import AuditStore, Kept, WrongToken
from .owners import Service
from .protocol import Request

log = logging.getLogger(__name__)
Message = Any
Send = Callable[[Message], Any]
GATHER_SECONDS = 0.2
WAITING = 20_000  # notes; a thread that cannot follow must not fill the memory
FLUSH_SECONDS = 5.0
PRUNE_EVERY = 2_000
PAGE = 50
# Who signed with a key when it was last seen: a call may have been its last, as of those who delete their own key.
KNOWN: dict[str, dict[str, Any]] = {}
MOST_KNOWN = 1_000


class Signer(Protocol):
    """What is needed of the gateway's ``Identity``."""

    @property
    def access_key(self) -> str: ...
    @property
    def region(self) -> str: ...


class Note:
    """One request, while it is answered. ``request`` gets its ``call`` and ``params`` when it is read."""

    def __init__(self, request: Request, request_id: str, client: Any) -> None:
        self.request, self.request_id = request, request_id
        self.source_ip = client[0] if client else "127.0.0.1"
        self.who: Signer | None = None
        self.service: Service | None = None
        self.status = 0
        self.headers: Any = ()
        self.body: list[bytes] = []
        self.size = 0
        self.ended = 0.0

    def listening(self, send: Send) -> Send:
        """``send`` that is overheard."""

        async def overheard(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.status, self.headers = message["status"], message["headers"]
            elif (body := message.get("body")) and self.size <= audit_record.LARGEST:
                self.body.append(body)
                self.size += len(body)
            await send(message)

        return overheard


class Audit(threading.Thread):
    """``store``: where records are. ``tell``: called with each record and its account, in this thread."""

    def __init__(self, store: AuditStore, tell: Callable[[str, dict[str, Any]], None]) -> None:
        super().__init__(name="audit", daemon=True)
        self.store, self.tell = store, tell
        self.notes: deque[Note] = deque(maxlen=WAITING)
        self.condition = threading.Condition()
        self.asked = False  # for all that is noted, now
        self.stopping = False
        self.idle = True
        self.until_prune = 0

    def take(self, note: Note) -> None:
        """Record a request that was answered, if CloudTrail would."""
        call, service = note.request.call, note.service
        if call is None or service is None or note.who is None or not note.status:
            return
        if audit_record.is_data(service, call):
            return
        note.ended = time.time()
        if note.size > audit_record.LARGEST:
            note.body = []
        note.request.body = b""
        self.notes.append(note)
        if self.idle:
            with self.condition:
                self.condition.notify_all()

    def run(self) -> None:
        while True:
            with self.condition:
                while not self.notes and not self.stopping:
                    self.idle = True
                    self.asked = False
                    self.condition.notify_all()
                    self.condition.wait(1.0)
                self.idle = False
                if self.stopping and not self.notes:
                    return
                self.condition.wait_for(lambda: self.asked or self.stopping, GATHER_SECONDS)
            self.write()

    def write(self) -> None:
        kept = []
        for _ in range(len(self.notes)):
            note = self.notes.popleft()
            try:
                kept.append(contextvars.copy_context().run(record_of, note))
            except Exception:
                log.exception("request %s was not recorded", note.request_id)
        try:
            self.store.add(kept)
            self.until_prune -= len(kept)
            if self.until_prune <= 0:
                self.until_prune = PRUNE_EVERY
                self.store.prune()
        except Exception as error:  # a full disk
            log.error("%s requests were not recorded: %s", len(kept), error)
        for one in kept:
            try:
                self.tell(one.account, dict(one.body))
            except Exception:
                log.exception("the record of %s was not told", one.body["requestID"])

    def flush(self) -> None:
        """Wait until all that was answered is recorded."""
        with self.condition:
            if self.is_alive():
                self.asked = True
                self.condition.notify_all()
                self.condition.wait_for(lambda: self.idle and not self.notes, FLUSH_SECONDS)

    def stop(self) -> None:
        with self.condition:
            self.stopping = True
            self.condition.notify_all()
        if self.is_alive():
            self.join(FLUSH_SECONDS)
        self.store.close()

    def lookup(self, account: str, region: str, asked: dict[str, Any]) -> dict[str, Any]:
        """LookupEvents. Raises ``AwsError``."""
        if asked.get("EventCategory"):
            return {"Events": []}  # Insights, which nothing here makes
        limit = asked.get("MaxResults", PAGE)
        if not isinstance(limit, int) or not 1 <= limit <= PAGE:
            raise AwsError("InvalidMaxResultsException", f"MaxResults must be from 1 to {PAGE}.")
        attributes = {one.get("AttributeKey"): one.get("AttributeValue") for one in asked.get("LookupAttributes") or []}
        if len(asked.get("LookupAttributes") or []) > 1:
            raise AwsError("InvalidLookupAttributesException", "You can specify only one lookup attribute at a time.")
        since, until = asked.get("StartTime"), asked.get("EndTime")
        if since is not None and until is not None and since > until:
            raise AwsError("InvalidTimeRangeException", "The start time must be before the end time.")
        self.flush()
        try:
            found, token = self.store.find(
                account, region, attributes, since, until, limit, asked.get("NextToken") or ""
            )
        except WrongToken:
            raise AwsError("InvalidNextTokenException", "The NextToken is not valid.") from None
        except ValueError as error:
            raise AwsError("InvalidLookupAttributesException", f"{error} is no attribute of events.") from None
        return {"Events": found, **({"NextToken": token} if token else {})}


def record_of(note: Note) -> Kept:
    """The record. Call it in a context of its own."""
    call, service, who = note.request.call, note.service, note.who
    assert call
    assert service
    assert who
    account, caller = ministack_trails.caller(who.access_key, who.region)
    if caller:
        KNOWN[who.access_key] = caller
        if len(KNOWN) > MOST_KNOWN:
            del KNOWN[next(iter(KNOWN))]
    else:
        caller = KNOWN.get(who.access_key)
    agent = note.request.headers.get("user-agent", "")
    identity = audit_record.identity(who.access_key, account, caller, agent)
    answer = None
    if note.status >= 400 or not audit_record.reads(call):
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in note.headers}
        try:
            answer = audit_record.parsed(call, note.status, headers, b"".join(note.body))
        except Exception as error:
            log.debug("the answer to %s is not read: %s", note.request_id, error)
            answer = {"Error": {"Code": str(note.status)}} if note.status >= 400 else None
    params = note.request.params
    body = audit_record.record(
        service,
        call,
        identity,
        account,
        who.region,
        note.request_id,
        note.ended,
        params,
        answer,
        note.source_ip,
        identity.get("invokedBy") or agent,
    )
    found = audit_record.resources(service, call, params, answer)
    return Kept(account, note.ended, audit_record.user_name(identity), found, body)
