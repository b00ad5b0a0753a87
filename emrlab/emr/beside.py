"""Threads that work beside the clusters' drivers: notebook executions, sessions, application UIs on request."""

from __future__ import annotations

import threading
import time
from abc import abstractmethod


class Worker(threading.Thread):
    """One piece of work with processes of its own."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name, daemon=True)

    @abstractmethod
    def halt(self) -> None:
        """End it soon, whatever it is doing: the region stops."""


class Beside:
    """The workers of a service, by name."""

    def __init__(self) -> None:
        self.workers: dict[str, Worker] = {}
        self.lock = threading.Lock()

    def start(self, worker: Worker) -> None:
        with self.lock:
            self.workers = {name: one for name, one in self.workers.items() if one.is_alive()}
            self.workers[worker.name] = worker
            worker.start()

    def get(self, name: str) -> Worker | None:
        """The worker of this name, while it lives."""
        found = self.workers.get(name)
        return found if found is not None and found.is_alive() else None

    def living(self) -> list[Worker]:
        return [one for one in self.workers.values() if one.is_alive()]

    def stop(self, seconds: float) -> None:
        """End them all; wait up to ``seconds`` in all for it."""
        with self.lock:
            living = self.living()
        for one in living:
            one.halt()
        deadline = time.monotonic() + seconds
        for one in living:
            one.join(max(0.0, deadline - time.monotonic()))
