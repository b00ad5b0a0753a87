"""Presigned URLs of user interfaces: an address of the region that leads on to the real one, for a while."""

from __future__ import annotations

import secrets
import threading
import time
from urllib.parse import urlsplit

PREFIX = "/_emrlab/ui/"
SECONDS = 3600.0  # EMR does not say how long its own are good


class Links:
    """``endpoint``: the region's. A link is forgotten when it has expired, or the region has ended."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.targets: dict[str, tuple[str, float]] = {}
        self.opened: dict[str, float] = {}  # node's address → when one of its interfaces was last opened
        self.lock = threading.Lock()

    def to(self, target: str) -> str:
        """A URL that leads to ``target``, known to nobody else."""
        token = secrets.token_urlsafe(32)
        now = time.monotonic()
        with self.lock:
            self.targets = {one: (url, end) for one, (url, end) in self.targets.items() if end > now}
            self.targets[token] = (target, now + SECONDS)
        return f"{self.endpoint}{PREFIX}{token}"

    def target(self, token: str) -> str | None:
        """Where a token leads; None when it is unknown or has expired."""
        with self.lock:
            url, end = self.targets.get(token, ("", 0.0))
            if not url or end <= time.monotonic():
                return None
            self.opened[urlsplit(url).hostname or ""] = time.time()
        return url
