"""What a learner has solved: one JSON file, changed whole, under a lock, and never made less."""

from __future__ import annotations

import json
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from ..home import Home


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


class Progress:
    """``{"labs": {"1.1": {"started": …, "exercises": {"launch": {"attempts": 2, "solved": …}}}}}``"""

    def __init__(self, home: Home) -> None:
        self.file = home.progress / "progress.json"

    def started(self, lab: str) -> None:
        self.change(lab, None, None)

    def attempt(self, lab: str, exercise: str, ok: bool) -> None:
        """Note one check. What was solved once stays solved."""
        self.change(lab, exercise, ok)

    def solved(self, lab: str) -> set[str]:
        exercises = self.read().get("labs", {}).get(lab, {}).get("exercises", {})
        return {name for name, one in exercises.items() if one.get("solved")}

    def read(self) -> dict[str, Any]:
        """The file's content. A file that is not ours to understand is kept aside, not overwritten."""
        try:
            text = self.file.read_text()
        except FileNotFoundError:
            return {}
        try:
            content = json.loads(text)
            if isinstance(content, dict):
                return content
        except ValueError:
            pass
        return {}

    def change(self, lab: str, exercise: str | None, ok: bool | None) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{self.file}.lock"):
            content = self.read()
            if not content and self.file.exists():
                self.keep_aside()
            entry = content.setdefault("labs", {}).setdefault(lab, {"started": now(), "exercises": {}})
            if exercise is not None:
                one = entry["exercises"].setdefault(exercise, {"attempts": 0, "solved": None})
                one["attempts"] += 1
                if ok and not one["solved"]:
                    one["solved"] = now()
            self.write(content)

    def keep_aside(self) -> None:
        number = 1
        while (aside := self.file.with_suffix(f".unreadable-{number}.json")).exists():
            number += 1
        self.file.rename(aside)

    def write(self, content: dict[str, Any]) -> None:
        descriptor, name = tempfile.mkstemp(dir=self.file.parent, prefix=".progress-")
        with os.fdopen(descriptor, "w") as file:
            json.dump(content, file, indent=1)
            file.write("\n")
        Path(name).replace(self.file)


class NoProgress(Progress):
    """For a run with the reference solutions: nothing is noted, nothing was solved before."""

    def change(self, lab: str, exercise: str | None, ok: bool | None) -> None:
        return

    def solved(self, lab: str) -> set[str]:
        return set()
