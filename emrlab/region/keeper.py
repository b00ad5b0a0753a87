"""Writes the borrowed services' state soon after it changed, so that a killed region loses at most a second."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time

from . import ministack_hooks

log = logging.getLogger(__name__)
SOON = 0.5
ALL_SECONDS = 10.0
IDLE_SECONDS = 60.0


class Keeper:
    """One task that saves what was touched. A service may change others (events, notifications) and by itself
    (schedules, executions): all services in use are saved ten seconds after a change too, and each minute."""

    def __init__(self) -> None:
        self.touched: set[str] = set()
        self.wake = asyncio.Event()
        self.writing = asyncio.Lock()
        self.swept = time.monotonic()
        self.busy = False

    def touch(self, service: str) -> None:
        """``service`` may have changed: it is saved within a second."""
        self.touched.add(service)
        self.wake.set()

    async def run(self) -> None:
        """Save until cancelled."""
        while True:
            due = self.swept + (ALL_SECONDS if self.busy else IDLE_SECONDS)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.wake.wait(), max(0.0, due - time.monotonic()))
                await asyncio.sleep(SOON)  # gather what comes together
            self.wake.clear()
            services, self.touched = self.touched, set()
            everything = time.monotonic() >= due
            try:
                await self.save(None if everything else services)
            except Exception as error:
                # A full disk, or a service whose state cannot be written: the others must not suffer for long.
                log.error("the state of %s could not be saved: %s", ", ".join(sorted(services)) or "the region", error)
                self.touched |= services
                self.busy = True
            else:
                self.busy = not everything
            if everything:
                self.swept = time.monotonic()

    async def save(self, services: set[str] | None) -> None:
        """Save now (None: everything). Raises what went wrong first."""
        keys = None if services is None else {key for name in services for key in ministack_hooks.keys_of(name)}
        async with self.writing:
            await asyncio.to_thread(ministack_hooks.save, keys)
