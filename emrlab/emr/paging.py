"""Pages and their markers. A marker is opaque to clients; here it says where the next page begins."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any, TypeVar

from .errors import invalid

T = TypeVar("T")


def marker(place: str) -> str:
    return base64.urlsafe_b64encode(f"emrlab:{place}".encode()).decode()


def place(text: str) -> str:
    """Where a marker points. Raises for one that no answer of ours held."""
    try:
        found = base64.urlsafe_b64decode(text.encode()).decode()
    except (binascii.Error, ValueError):
        found = ""
    if not found.startswith("emrlab:"):
        raise invalid("Marker is not valid. Use the one that the page before gave, or none.")
    return found.removeprefix("emrlab:")


def page(items: Sequence[T], params: dict[str, Any], size: int, name: str = "Marker") -> tuple[list[T], dict[str, str]]:
    """The page that ``params`` asks for, and the marker of the next one as a member of the answer."""
    given = params.get(name)
    begin = place(given) if given else "0"
    if not begin.isdigit():
        raise invalid(f"{name} is not valid here. Use the one that the page before gave, or none.")
    end = int(begin) + size
    return list(items[int(begin) : end]), ({name: marker(str(end))} if end < len(items) else {})
