"""botocore's description of a service, without its documentation, and which operation a request asks for."""

from __future__ import annotations

import functools
import gzip
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import botocore
from botocore.model import OperationModel, ServiceModel

DATA = Path(botocore.__file__).parent / "data"


def without_prose(part: dict[str, Any]) -> dict[str, Any]:
    documentation = part.get("documentation")
    if isinstance(documentation, str):
        del part["documentation"]
    return part


@functools.cache
def description(name: str) -> dict[str, Any]:
    """The newest ``service-2.json`` of a service, as botocore ships it."""
    folder = max(path for path in (DATA / name).iterdir() if (path / "service-2.json.gz").exists())
    with gzip.open(folder / "service-2.json.gz", "rt", encoding="utf-8") as file:
        found: dict[str, Any] = json.load(file, object_hook=without_prose)
    return found


@functools.cache
def model(name: str) -> ServiceModel:
    return ServiceModel(description(name), name)


@functools.cache
def operation(name: str, operation_name: str) -> OperationModel:
    return model(name).operation_model(operation_name)


@dataclass(frozen=True)
class Route:
    """One REST operation: when a request's path and query are its own."""

    operation: str
    path: re.Pattern[str]
    labels: tuple[str, ...]
    query: tuple[tuple[str, str | None], ...]  # fixed in the URI: `?uploads`, `?list-type=2`
    needed: tuple[tuple[str, str], ...]  # required members: (querystring | header, name)
    weight: tuple[int, int]

    def fits(self, path: str, query: Mapping[str, list[str]]) -> re.Match[str] | None:
        for name, value in self.query:
            if name not in query or (value is not None and query[name][:1] != [value]):
                return None
        return self.path.fullmatch(path)

    def complete(self, query: Mapping[str, list[str]], headers: Mapping[str, str]) -> bool:
        return all(name in query if place == "querystring" else name in headers for place, name in self.needed)


@functools.cache
def routes(name: str) -> dict[str, list[Route]]:
    """A REST service's operations by HTTP method, the most specific first."""
    service = description(name)
    found: dict[str, list[Route]] = {}
    for operation_name, about in service["operations"].items():
        uri, _, fixed = about["http"]["requestUri"].partition("?")
        query = tuple((part.partition("=")[0], part.partition("=")[2] or None) for part in fixed.split("&") if part)
        pattern, labels = "", []
        for piece in re.split(r"(\{[^}]+\})", uri.rstrip("/") or "/"):
            if piece.startswith("{"):
                labels.append(piece[1:-1].rstrip("+"))
                pattern += "(.+)" if piece.endswith("+}") else "([^/]+)"
            else:
                pattern += re.escape(piece)
        shape = service["shapes"].get(about.get("input", {}).get("shape"), {})
        members = {member: shape["members"][member] for member in shape.get("required", ())}
        needed = tuple(
            (said["location"], said.get("locationName", member).lower() if said["location"] == "header"
             else said.get("locationName", member))
            for member, said in members.items()
            if said.get("location") in ("querystring", "header")
        )  # fmt: skip
        fixed_text = len(uri) - sum(len(label) + 2 for label in labels)
        weight = (len(query), fixed_text)
        route = Route(operation_name, re.compile(pattern + "/?"), tuple(labels), query, needed, weight)
        found.setdefault(about["http"]["method"], []).append(route)
    for those in found.values():
        those.sort(key=lambda route: (route.weight, len(route.needed)), reverse=True)
    return found


def match(
    name: str, method: str, path: str, query: Mapping[str, list[str]], headers: Mapping[str, str]
) -> tuple[Route, dict[str, str]] | None:
    """The REST operation for a request and the values of its URI's labels (``path`` as sent, percent-encoded).

    Of several that fit, one whose required query and headers are all there; else the first.
    """
    best: tuple[Route, re.Match[str]] | None = None
    for route in routes(name).get(method, ()):
        if best is not None and route.weight[0] < best[0].weight[0]:
            break
        found = route.fits(path, query)
        if found is None:
            continue
        if route.complete(query, headers):
            best = (route, found)
            break
        if best is None or len(route.needed) < len(best[0].needed):
            best = (route, found)
    if best is None:
        return None
    route, found = best
    return route, {label: unquote(value) for label, value in zip(route.labels, found.groups(), strict=True)}
