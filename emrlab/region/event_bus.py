"""The way from EMR to EventBridge: ministack's default bus, which lets no client use a source of AWS's."""

from __future__ import annotations

import asyncio
import contextvars
import json
from typing import Any, Protocol

from . import ministack_hooks
from .keeper import Keeper

# Services that a rule's target may be of: what an event did there is soon saved.
TARGETS = ("events", "sqs", "sns")


class Said(Protocol):
    """What is needed of ``emrlab.emr.events.Event``."""

    @property
    def kind(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def account(self) -> str: ...
    @property
    def region(self) -> str: ...
    @property
    def detail(self) -> dict[str, Any]: ...
    @property
    def resources(self) -> list[str]: ...


class EventBus:
    """Called with an event, in any thread but ``loop``'s: when it returns, the targets of matching rules have it."""

    def __init__(self, keeper: Keeper, loop: asyncio.AbstractEventLoop) -> None:
        self.keeper, self.loop = keeper, loop

    def __call__(self, event: Said) -> None:
        entry = {
            "Source": event.source,
            "DetailType": event.kind,
            "Detail": json.dumps(event.detail, ensure_ascii=False, default=str),
            "Resources": event.resources,
        }
        contextvars.copy_context().run(ministack_hooks.put_event, event.account, event.region, entry)
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.saved_soon)

    def saved_soon(self) -> None:
        for service in TARGETS:
            self.keeper.touch(service)
