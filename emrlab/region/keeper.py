"""Writes the borrowed services' state soon after it changed, so that a killed region loses at most a second."""

from __future__ import annotations

import asyncio
import logging
import time

from . import ministack_hooks

log = logging.getLogger(__name__)
SOON = 0.5
ALL_SECONDS = 10.0


class Keeper:
    """One task that saves what was touched. A service may change others (events, notifications): while anything
    changes, all services in use are saved every ten seconds too."""

    def __init__(self) -> None:
        self.touched: set[str] = set()
        self.wake = asyncio.Event()
        self.writing = asyncio.Lock()
        self.swept = time.monotonic()

    def touch(self, service: str) -> None:
        """``service`` may have changed: it is saved within a second."""
        self.touched.add(service)
        self.wake.set()

    async def run(self) -> None:
        """Save until cancelled."""
        while True:
            await self.wake.wait()
            await asyncio.sleep(SOON)  # gather what comes together
            self.wake.clear()
            services, self.touched = self.touched, set()
            everything = time.monotonic() - self.swept > ALL_SECONDS
            try:
                await self.save(None if everything else services)
            except OSError as error:
                log.error("the state of %s could not be saved: %s", ", ".join(sorted(services)), error)
                self.touched |= services
            else:
                self.swept = time.monotonic() if everything else self.swept

    async def save(self, services: set[str] | None) -> None:
        """Save now (None: everything). Raises ``OSError``."""
        keys = None if services is None else {key for name in services for key in ministack_hooks.keys_of(name)}
        async with self.writing:
            await asyncio.to_thread(ministack_hooks.save, keys)
