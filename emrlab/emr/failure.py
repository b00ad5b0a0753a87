"""Why a step failed: EMR's ``FailureDetails``, read from what the step wrote."""

from __future__ import annotations

import re
from collections.abc import Sequence

UNKNOWN = "Unknown Error."
LONGEST = 1000
THREAD = re.compile(r'^Exception in thread "[^"]*" (?:.+)')
RAISED = re.compile(r"^(?:[A-Za-z_$][\w.$]*(?:Error|Exception|Exit)\b|Error: |ERROR[: ]|[\w./-]+: ).+")


def cause(text: str) -> str:
    """The line of ``text`` (a step's standard error) that says what went wrong; empty when none does.

    A Java program's first uncaught exception, a Python program's last; else the last line that looks like an error,
    else the last line.
    """
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    if traceback := [number for number, line in enumerate(lines) if line.startswith("Traceback (")]:
        for line in lines[traceback[-1] + 1 :]:
            if not line.startswith(" ") and RAISED.match(line):
                return line[:LONGEST]
    for pattern, order in ((THREAD, lines), (RAISED, lines[::-1])):
        if found := first(pattern, order):
            return found
    return lines[-1][:LONGEST] if lines else ""


def first(pattern: re.Pattern[str], lines: Sequence[str]) -> str:
    return next((line[:LONGEST] for line in lines if pattern.match(line)), "")


def details(text: str, code: int | None, log_file: str) -> dict[str, str]:
    """``FailureDetails``. ``code``: the exit status, if the step was started. ``log_file``: where ``text`` is in S3."""
    ended = f"The step ended with exit code {code}." if code is not None else "The step could not be started."
    found = {"Reason": UNKNOWN, "Message": cause(text) or ended}
    if log_file:
        found["LogFile"] = log_file
    return found
