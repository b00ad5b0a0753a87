"""Variables in policies, which ministack's evaluation does not know: ``"Resource": "…/${aws:username}/*"``.

See "IAM policy elements: Variables and tags". They stand in resources and in conditions' values; a variable that has no
value, and no default, fits nothing.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from . import ministack_iam

VARIABLE = re.compile(r"\$\{([^}']+?)(?:,\s*'([^']*)')?\s*\}")
LITERALS = ("*", "?", "$")
Value = Callable[[str], Any]


class NoValue(Exception):
    """A variable has no value in this request."""


def install() -> None:
    """Let statements be read with the request's values in place of variables."""
    evaluator: Any = ministack_iam.evaluator()
    match = evaluator._first_match
    if getattr(match, "_emrlab", False):
        return

    def first_match(ctx: Any, stmts: list[Any], effect: str) -> Any:
        def value(key: str) -> Any:
            return evaluator._resolve_condition_key(key, ctx)

        for stmt in stmts:
            if stmt.effect != effect:
                continue
            try:
                fits = match(ctx, [read(stmt, value)], effect)
            except NoValue:
                continue
            if fits:
                return stmt
        return None

    first_match._emrlab = True  # type: ignore[attr-defined]
    evaluator._first_match = first_match


def read(stmt: Any, value: Value) -> Any:
    """A statement without variables. Raises ``NoValue`` when it fits nothing."""
    if "${" not in str((stmt.resources, stmt.not_resources, stmt.conditions)):
        return stmt
    resources = []
    for one in stmt.resources:
        with contextlib.suppress(NoValue):
            resources.append(filled(one, value))
    if stmt.resources and not resources:
        raise NoValue
    not_resources = [filled(one, value) for one in stmt.not_resources]
    conditions = filled(stmt.conditions, value)
    return replace(stmt, resources=resources, not_resources=not_resources, conditions=conditions)


def filled(part: Any, value: Value) -> Any:
    """``part`` with values in place of variables."""
    if isinstance(part, dict):
        return {key: filled(one, value) for key, one in part.items()}
    if isinstance(part, list):
        return [filled(one, value) for one in part]
    return text(part, value) if isinstance(part, str) else part


def text(given: str, value: Value) -> str:
    def put(found: re.Match[str]) -> str:
        name, default = found[1].strip(), found[2]
        if name in LITERALS:
            return name
        told = value(name)
        if isinstance(told, list):
            told = told[0] if len(told) == 1 else None
        if told is None:
            if default is None:
                raise NoValue(name)
            return default
        return str(told)

    return VARIABLE.sub(put, given)
