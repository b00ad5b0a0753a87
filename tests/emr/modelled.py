"""Requests and answers by a service's model: a whole request, what damages it, whether an answer fits."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from emrlab.region.validate import expression

Path = tuple[str | int, ...]
SAMPLES: dict[str, Any] = {"boolean": True, "timestamp": 1_700_000_000, "double": 1.5, "float": 1.5, "blob": "YQ=="}
# EMR tells these, which the model demands members of, as {} where there is nothing to tell.
EMPTY = {"KerberosAttributes"}
ROLE = "arn:aws:iam::123456789012:role/a"


def whole(shape: Any, inside: tuple[str, ...] = ()) -> Any:
    """A value with all members of the model, as JSON has it; a shape within itself is left out."""
    kind, rules = shape.type_name, shape.metadata
    if kind == "structure":
        members = {name: one for name, one in shape.members.items() if one.name not in inside}
        return {name: whole(one, (*inside, shape.name)) for name, one in members.items()}
    if kind == "list":
        return [] if shape.member.name in inside else [whole(shape.member, (*inside, shape.name))]
    if kind == "map":
        return {whole(shape.key): whole(shape.value, (*inside, shape.name))}
    if kind == "string":
        if rules.get("enum"):
            return rules["enum"][0]
        return ROLE if "arn" in str(rules.get("pattern")) else "a" * max(1, rules.get("min", 1))
    return SAMPLES.get(kind, max(1, rules.get("min", 1)))


def places(shape: Any, value: Any, path: Path = ()) -> Iterator[tuple[Path, Any, bool]]:
    """Every place of a value: where, its shape, and whether the model demands it."""
    if shape.type_name == "structure":
        for name in value:
            yield (*path, name), shape.members[name], name in shape.required_members
            yield from places(shape.members[name], value[name], (*path, name))
    elif shape.type_name == "list":
        for at, one in enumerate(value):
            yield (*path, at), shape.member, False
            yield from places(shape.member, one, (*path, at))


def changed(value: Any, path: Path, new: Any = None) -> Any:
    """A copy with ``new`` at ``path``; without it, what is there is left out."""
    found = copy.deepcopy(value)
    within = found
    for step in path[:-1]:
        within = within[step]
    if new is None:
        del within[path[-1]]
    else:
        within[path[-1]] = new
    return found


def named(path: Path) -> str:
    """As AWS names a place: ``steps.1.member.hadoopJarStep``."""
    return ".".join(f"{one + 1}.member" if isinstance(one, int) else one[:1].lower() + one[1:] for one in path)


def misfits(shape: Any, value: Any, path: str = "") -> list[str]:
    """What of a JSON answer the model does not know or does not allow."""
    kind = shape.type_name
    wrong: list[str] = []
    if kind == "structure":
        if not isinstance(value, dict):
            return [f"{path} is no structure"]
        wrong += [f"{path}.{name} is not of the model" for name in value.keys() - shape.members.keys()]
        if value or shape.name not in EMPTY:
            wrong += [f"{path}.{name} is missing" for name in shape.required_members if name not in value]
        for name in value.keys() & shape.members.keys():
            wrong += misfits(shape.members[name], value[name], f"{path}.{name}")
        return wrong
    if kind == "list":
        if not isinstance(value, list):
            return [f"{path} is no list"]
        for at, one in enumerate(value):
            wrong += misfits(shape.member, one, f"{path}[{at}]")
        return wrong
    if kind == "map":
        for name, one in value.items():
            wrong += misfits(shape.key, name, f"{path}.key") + misfits(shape.value, one, f"{path}.{name}")
        return wrong
    return scalar_misfits(shape, value, path)


def scalar_misfits(shape: Any, value: Any, path: str) -> list[str]:
    kind, rules = shape.type_name, shape.metadata
    real = (int, float)
    types: Any = {"string": str, "boolean": bool, "timestamp": real, "double": real, "float": real}
    if not isinstance(value, types.get(kind, int)) or (isinstance(value, bool) and kind != "boolean"):
        return [f"{path} is {value!r}, no {kind}"]
    wrong = []
    if rules.get("enum") and value not in rules["enum"]:
        wrong.append(f"{path} is {value!r}, not of {rules['enum']}")
    if kind == "string":
        wrong += limits(rules, len(value), path)
        pattern = expression(rules["pattern"]) if "pattern" in rules else None
        if pattern and not pattern.fullmatch(value):
            wrong.append(f"{path} is {value!r}, not {rules['pattern']}")
    elif kind in ("integer", "long"):
        wrong += limits(rules, value, path)
    return wrong


def limits(rules: dict[str, Any], size: int, path: str) -> list[str]:
    low, high = rules.get("min", size), rules.get("max", size)
    return [] if low <= size <= high else [f"{path}: {size} is not from {low} to {high}"]
