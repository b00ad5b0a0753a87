"""Exercise cells: ``# exercise: id`` in their first line, ``____`` where the learner writes.

The cell runs once its blanks are filled, then the check looks at what really happened. With ``EMRLAB_SOLVE=1`` the
reference solution runs instead, and a failing check is an error.
"""

from __future__ import annotations

import ast
import json
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import LabError
from ..widgets import exercise as widget
from ..widgets.page import Kind, Page
from .definition import Exercise, NotYet

if TYPE_CHECKING:
    from .lab import Lab

MARK = re.compile(r"^#\s*exercise:\s*([\w.-]+)\s*$")
BLANK = re.compile(r"(?<!\w)_{4,}(?!\w)")


def solving() -> bool:
    """Whether the reference solutions run (``EMRLAB_SOLVE=1``)."""
    return os.environ.get("EMRLAB_SOLVE", "") not in ("", "0")


@dataclass(frozen=True)
class Result:
    """What a check said."""

    exercise: str
    ok: bool
    message: str

    def __repr__(self) -> str:
        return f"{'correct' if self.ok else 'not yet'}: {self.message}"


class Attempt:
    """An exercise of an open lab: ``lab.exercise("launch").check()``. Needs no browser."""

    def __init__(self, lab: Lab, exercise: Exercise) -> None:
        self.lab = lab
        self.exercise = exercise
        self.hints_given = 0

    def check(self) -> Result:
        """Look at the real state now. Noted in the learner's progress, and in the file ``EMRLAB_RESULTS`` names."""
        try:
            result = Result(self.exercise.id, True, self.exercise.check(self.lab.state()))
        except NotYet as seen:
            result = Result(self.exercise.id, False, str(seen))
        except LabError as error:
            result = Result(self.exercise.id, False, str(error))
        except Exception as error:  # the check must answer whatever state the learner has made
            text = f"The check could not look: {type(error).__name__}: {error}. Is the region up? lab = emrlab.lab(…)"
            result = Result(self.exercise.id, False, text)
        self.lab.progress.attempt(self.lab.definition.number, result.exercise, result.ok)
        note(self.lab.definition.number, result)
        return result

    def hint(self) -> str:
        """The next hint; the last one again when there are no more."""
        hints = self.exercise.hints
        if not hints:
            return "There is no hint for this one. Solution shows how it can be done."
        number = min(self.hints_given, len(hints) - 1)
        self.hints_given += 1
        return f"Hint {number + 1} of {len(hints)}: {hints[number]}"

    def solution(self) -> Page:
        return widget.answer(self.title, "note", "One solution:", self.exercise.solution)

    @property
    def title(self) -> str:
        return f"Exercise {self.exercise.id}"

    def __repr__(self) -> str:
        return f"{self.title}: {self.exercise.title}\n.check()  .hint()  .solution()"

    def said(self, result: Result) -> tuple[Kind, str, str]:
        return ("good", f"correct. {result.message}", "") if result.ok else ("bad", f"not yet. {result.message}", "")

    def panel(self, first: tuple[Kind, str, str]) -> Any:
        actions: dict[str, widget.Action] = {
            "Check": lambda: self.said(self.check()),
            "Hint": lambda: ("note", self.hint(), ""),
            "Solution": lambda: ("note", "One solution:", self.exercise.solution),
        }
        return widget.panel(self.title, first, actions)

    def run(self, source: str) -> None:
        """Run the cell's source (or the solution), then check, then show the panel."""
        from IPython import get_ipython
        from IPython.display import display

        shell = get_ipython()
        source = self.exercise.solution if solving() else source
        if blanks := count_blanks(source, shell):
            display(self.panel(("warn", ask(blanks), "")))
            return
        done = shell.run_cell(source, store_history=False)
        if not done.success:
            error = done.error_in_exec or done.error_before_exec
            if solving():
                raise LabError(f"The solution of {self.exercise.id} stopped: {error}. Mend it in the lab's module.")
            name = type(error).__name__
            display(self.panel(("bad", f"the cell stopped with {name}. Mend it and run it again. Hint helps.", "")))
            return
        result = self.check()
        display(self.panel(self.said(result)))
        if solving() and not result.ok:
            raise LabError(f"The solution of {self.exercise.id} does not pass its check: {result.message}")


def count_blanks(source: str, shell: Any = None) -> int:
    """How many ``____`` are left, in code and in strings, but not in comments."""
    plain = shell.transform_cell(source) if shell is not None else source
    try:
        nodes = list(ast.walk(ast.parse(plain)))
    except SyntaxError:  # told by running it, unless a blank is why
        return len(BLANK.findall(source))
    names = sum(1 for node in nodes if isinstance(node, ast.Name) and BLANK.fullmatch(node.id))
    texts = (node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))
    return names + sum(len(BLANK.findall(text)) for text in texts)


def ask(blanks: int) -> str:
    """What an exercise says before it is tried."""
    many = "the blank" if blanks == 1 else f"the {blanks} blanks"
    return f"replace {many} ____ and run the cell again. Hint helps."


def note(lab: str, result: Result) -> None:
    """Append the result to the file that ``emrlab solve`` reads."""
    if file := os.environ.get("EMRLAB_RESULTS"):
        line = {"lab": lab, "exercise": result.exercise, "ok": result.ok, "message": result.message}
        with open(file, "a", encoding="utf-8") as out:
            out.write(json.dumps(line) + "\n")


def marked(lines: list[str]) -> tuple[str, str] | None:
    """The exercise's id and source, of a cell whose first line that is not empty marks it."""
    for number, line in enumerate(lines):
        if found := MARK.match(line.strip()):
            return found[1], "".join(lines[number + 1 :])
        if line.strip():
            return None
    return None
