"""Presigned URLs of application user interfaces: whoever has one is led on to the interface itself."""

from __future__ import annotations

from collections.abc import Callable

from .protocol import Answer

Target = Callable[[str], str | None]  # token → where it leads
PREFIX = "/_emrlab/ui/"  # as in emr/links.py
GONE = b"This link has expired, or the region was started anew. Ask for another: GetPersistentAppUIPresignedURL.\n"


def lead(path: str, target: Target) -> Answer:
    """The answer to a request for ``path``."""
    found = target(path.removeprefix(PREFIX))
    if found is None:
        return Answer(403, {"content-type": "text/plain; charset=utf-8"}, GONE)
    return Answer(302, {"location": found, "cache-control": "no-store", "referrer-policy": "no-referrer"}, b"")
