"""A request's parameters against botocore's model: converted and checked in one walk.

AWS answers a wrong type with SerializationException, anything else the model forbids with ValidationException, worded
"1 validation error detected: Value … at … failed to satisfy constraint: …".
"""

from __future__ import annotations

import base64
import binascii
import functools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

INTEGERS = {"byte": 2**7, "short": 2**15, "integer": 2**31, "long": 2**63}
SHOWN = 100
HALF = re.compile("[\ud800-\udfff]")
# Java's way to write "any character beyond U+FFFF", which the model of EMR has in two spellings.
BEYOND = re.compile(r"\\uD800(?:\\uDC00-\\uDBFF|\\uDBFF-\\uDC00)\\uDFFF")


class WrongType(Exception):
    """A value that is not of the model's type."""


@dataclass
class Reader:
    """Reads one request. ``strict``: enums, patterns and ranges too (for the services that are ours).

    ``errors`` holds what constraints were broken, each as AWS words it.
    """

    strict: bool = False
    errors: list[str] = field(default_factory=list)

    def read(self, shape: Shape, value: Any, path: str = "") -> Any:
        """``value`` with timestamps as datetime and blobs as bytes. Raises ``WrongType``."""
        kind = shape.type_name
        handler: Callable[[Shape, Any, str], Any] = getattr(self, f"read_{kind}", self.read_other)
        if kind in INTEGERS:
            handler = self.read_whole
        return handler(shape, value, path)

    def read_structure(self, shape: StructureShape, value: Any, path: str) -> Any:
        if getattr(shape, "is_document_type", False):
            return value
        if not isinstance(value, dict):
            raise WrongType(f"{path or 'The request'}: start of structure expected")
        found: dict[str, Any] = {}
        for name, member in shape.members.items():
            wire = member.serialization.get("name", name)
            given = value.get(wire, value.get(name))
            if given is not None:
                found[name] = self.read(member, given, below(path, name))
            elif name in shape.required_members:
                self.broken("null", below(path, name), "Member must not be null")
        if shape.is_tagged_union and len(found) != 1:
            self.broken(str(sorted(found)), path, f"Exactly one of {sorted(shape.members)} must be set")
        return found

    def read_list(self, shape: ListShape, value: Any, path: str) -> list[Any]:
        if not isinstance(value, list):
            raise WrongType(f"{path}: a list is expected")
        self.check_length(shape, value, path)
        found = [
            self.read(shape.member, one, f"{path}.{at}.member") for at, one in enumerate(value, 1) if one is not None
        ]
        if len(found) < len(value):
            self.broken("null", path, "Member must not be null")
        return found

    def read_map(self, shape: MapShape, value: Any, path: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise WrongType(f"{path}: a map is expected")
        self.check_length(shape, value, path)
        found = {}
        for key, one in value.items():
            found[self.read(shape.key, key, f"{path}.key")] = (
                None if one is None else self.read(shape.value, one, f"{path}.{key}")
            )
        return found

    def read_string(self, shape: Shape, value: Any, path: str) -> Any:
        if not isinstance(value, str):
            if shape.serialization.get("jsonvalue"):
                return value
            raise WrongType(f"{path}: a string is expected, not {type(value).__name__}")
        if not value.isascii() and HALF.search(value):
            raise WrongType(f"{path}: half a character (a surrogate without its other half)")
        self.check_length(shape, value, path)
        allowed = shape.metadata.get("enum")
        if self.strict and allowed and value not in allowed:
            self.broken(value, path, f"Member must satisfy enum value set: [{', '.join(allowed)}]")
        pattern = shape.metadata.get("pattern")
        if self.strict and pattern and (compiled := expression(pattern)) and not compiled.fullmatch(value):
            self.broken(value, path, f"Member must satisfy regular expression pattern: {pattern}")
        return value

    def read_boolean(self, shape: Shape, value: Any, path: str) -> bool:
        if not isinstance(value, bool):
            raise WrongType(f"{path}: true or false is expected")
        return value

    def read_whole(self, shape: Shape, value: Any, path: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int | float) or value % 1:
            raise WrongType(f"{path}: a whole number is expected")
        limit = INTEGERS[shape.type_name]
        if not -limit <= value < limit:
            raise WrongType(f"{path}: {value} does not fit into {shape.type_name}")
        self.check_range(shape, value, path)
        return int(value)

    def read_double(self, shape: Shape, value: Any, path: str) -> float:
        if value in ("NaN", "Infinity", "-Infinity"):
            return float(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise WrongType(f"{path}: a number is expected")
        self.check_range(shape, value, path)
        return float(value)

    read_float = read_double

    def read_timestamp(self, shape: Shape, value: Any, path: str) -> datetime:
        if isinstance(value, datetime):
            return value if value.tzinfo else value.replace(tzinfo=UTC)
        try:
            if isinstance(value, str):
                from botocore.utils import parse_timestamp

                return self.read_timestamp(shape, parse_timestamp(value), path)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ValueError
            return datetime.fromtimestamp(value, UTC)
        except (ValueError, OverflowError, OSError):
            raise WrongType(f"{path}: a timestamp is expected") from None

    def read_blob(self, shape: Shape, value: Any, path: str) -> bytes:
        if isinstance(value, bytes):
            return value
        try:
            return base64.b64decode(value, validate=True)
        except (TypeError, ValueError, binascii.Error):
            raise WrongType(f"{path}: base64 is expected") from None

    def read_other(self, shape: Shape, value: Any, path: str) -> Any:
        return value

    def check_range(self, shape: Shape, value: float, path: str) -> None:
        if not self.strict:
            return
        if (least := shape.metadata.get("min")) is not None and value < least:
            self.broken(str(value), path, f"Member must have value greater than or equal to {least}")
        if (most := shape.metadata.get("max")) is not None and value > most:
            self.broken(str(value), path, f"Member must have value less than or equal to {most}")

    def check_length(self, shape: Shape, value: Any, path: str) -> None:
        if not self.strict:
            return
        if (least := shape.metadata.get("min")) is not None and len(value) < least:
            self.broken(value, path, f"Member must have length greater than or equal to {least}")
        if (most := shape.metadata.get("max")) is not None and len(value) > most:
            self.broken(value, path, f"Member must have length less than or equal to {most}")

    def broken(self, value: Any, path: str, constraint: str) -> None:
        text = str(value)
        text = text if len(text) <= SHOWN else text[:SHOWN] + "…"
        shown = text if text == "null" else f"'{text}'"
        self.errors.append(f"Value {shown} at '{path}' failed to satisfy constraint: {constraint}")

    def report(self) -> str:
        """All broken constraints in AWS's words; empty when there are none."""
        if not self.errors:
            return ""
        count = len(self.errors)
        return f"{count} validation error{'s' if count > 1 else ''} detected: " + "; ".join(self.errors)


def below(path: str, name: str) -> str:
    """AWS names members in camel case: ``instances.masterInstanceType``."""
    named = name[:1].lower() + name[1:]
    return f"{path}.{named}" if path else named


@functools.cache
def expression(pattern: str) -> re.Pattern[str] | None:
    try:
        return re.compile(BEYOND.sub(r"\\U00010000-\\U0010FFFF", pattern))
    except re.error:  # a construct of Java's that Python lacks
        return None
