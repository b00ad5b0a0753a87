"""Why a step failed: EMR's ``FailureDetails``, read from what the step wrote."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

UNKNOWN = "Unknown Error."
LONGEST = 1000
THREAD = re.compile(r'^Exception in thread "[^"]*" (?:.+)')
RAISED = re.compile(r"^(?:[A-Za-z_$][\w.$]*(?:Error|Exception|Exit)\b|Error: |ERROR[: ]|[\w./-]+: ).+")
SAYS_NOTHING = ("Streaming Command Failed!",)  # Hadoop streaming's last word; its log says why


def cause(text: str) -> str:
    """The line of ``text`` that says what went wrong; empty when none does.

    A Python program's last uncaught exception, a Java program's first; else the last line that looks like an error,
    else the last line.
    """
    lines = [line.rstrip() for line in text.splitlines() if line.strip() and line.strip() not in SAYS_NOTHING]
    return certain(lines) or first(RAISED, lines[::-1]) or (lines[-1][:LONGEST] if lines else "")


def certain(lines: Sequence[str]) -> str:
    """The exception that ended the program, if one did."""
    if traceback := [number for number, line in enumerate(lines) if line.startswith("Traceback (")]:
        rest = lines[traceback[-1] + 1 :]
        for line, after in zip(rest, [*rest[1:], ""], strict=True):
            if not line.startswith(" ") and RAISED.match(line):
                # py4j puts the Java exception on a line of its own.
                return f"{line.rstrip('.')}{after}"[:LONGEST] if after.startswith(": ") else line[:LONGEST]
    return first(THREAD, lines)


def first(pattern: re.Pattern[str], lines: Sequence[str]) -> str:
    return next((line[:LONGEST] for line in lines if pattern.match(line)), "")


def told_in(logs: Mapping[str, str]) -> tuple[str, str]:
    """Which of a step's logs (name → text, standard error first) tells the cause, and the cause.

    Spark writes what a Python driver says on standard error into standard output.
    """
    for name, text in logs.items():
        if found := certain(text.splitlines()):
            return name, found
    for name, text in logs.items():
        if found := cause(text):
            return name, found
    return next(iter(logs), ""), ""


def details(message: str, code: int | None, log_file: str) -> dict[str, str]:
    """``FailureDetails``. ``code``: the exit status, if there was one. ``log_file``: where ``message`` is in S3."""
    ended = f"The step ended with exit code {code}." if code is not None else "The step could not be started."
    found = {"Reason": UNKNOWN, "Message": message or ended}
    if log_file:
        found["LogFile"] = log_file
    return found
