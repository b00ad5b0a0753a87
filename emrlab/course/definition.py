"""What a lab is: a notebook, and beside it a module ``lab_1_1.py`` with one ``LAB = Definition(…)``."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import LabError

if TYPE_CHECKING:
    from .state import State


class NotYet(Exception):
    """A check's answer when the exercise is not solved: what it saw, what it expected, perhaps where to look."""


@dataclass(frozen=True)
class Exercise:
    """``check(state)`` looks at what really is, and returns what it saw; or raises ``NotYet``.

    ``solution``: the source that solves the cell. ``hints``: from a nudge to almost all of it.
    """

    id: str
    title: str
    check: Callable[[State], str]
    solution: str
    hints: tuple[str, ...] = ()


@dataclass(frozen=True)
class Definition:
    number: str
    title: str
    minutes: int
    goals: tuple[str, ...]
    exercises: tuple[Exercise, ...]

    def exercise(self, exercise_id: str) -> Exercise:
        for one in self.exercises:
            if one.id == exercise_id:
                return one
        known = ", ".join(one.id for one in self.exercises)
        raise LabError(f"Lab {self.number} has no exercise {exercise_id!r}. Its exercises: {known}")


def find(number: str) -> Definition:
    """The definition of lab ``number``: beside the notebook that asks, else in the checkout's ``labs``."""
    name = f"lab_{number.replace('.', '_')}.py"
    labs = Path(__file__).resolve().parents[2] / "labs"
    places = [Path.cwd() / name, *sorted(labs.glob(f"*/{name}"))]
    file = next((place for place in places if place.is_file()), None)
    if file is None:
        there = sorted(path.stem.removeprefix("lab_").replace("_", ".") for path in labs.glob("*/lab_*.py"))
        raise LabError(f"There is no lab {number!r}. There are: {', '.join(there) or 'none beside this notebook'}")
    return load(file)


def load(file: Path) -> Definition:
    """The ``LAB`` of a module, read anew: an author sees changes without a new kernel."""
    spec = importlib.util.spec_from_file_location(f"emrlab_{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses in it look themselves up
    spec.loader.exec_module(module)
    found = getattr(module, "LAB", None)
    if not isinstance(found, Definition):
        raise LabError(f"{file.name} defines no LAB. Add: LAB = Definition(number=…, title=…, …)")
    return found
