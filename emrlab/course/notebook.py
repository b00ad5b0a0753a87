"""A lab inside IPython: exercise cells, ``%%exercise``, and errors for people instead of tracebacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import LabError
from ..widgets.page import box
from .exercises import marked, solving

if TYPE_CHECKING:
    from .lab import Lab

current: Lab | None = None


def attach(lab: Lab) -> None:
    """Make ``lab`` the one whose exercises this kernel's cells mean. Nothing happens outside IPython."""
    global current
    from IPython import get_ipython

    current = lab
    shell = get_ipython()
    if shell is None:
        return
    if transform not in shell.input_transformers_cleanup:
        shell.input_transformers_cleanup.append(transform)
        shell.register_magic_function(magic, "cell", "exercise")
    if not solving():  # a run that must not fail silently gets ordinary errors
        shell.set_custom_exc((LabError,), show_error)


def transform(lines: list[str]) -> list[str]:
    """An exercise's cell becomes one call; every other cell stays."""
    found = marked(lines)
    if found is None or current is None:
        return lines
    return [f"__import__('emrlab.course.notebook', fromlist=['run']).run({found[0]!r}, {found[1]!r})\n"]


def run(exercise_id: str, source: str) -> None:
    if current is None:
        raise LabError("No lab is open in this notebook. Run its first cell: lab = emrlab.lab(…)")
    current.exercise(exercise_id).run(source)


def magic(line: str, cell: str) -> None:
    """``%%exercise id``"""
    run(line.strip(), cell)


def show_error(shell: Any, kind: type[BaseException], error: BaseException, trace: Any, tb_offset: Any = None) -> None:
    """A ``LabError`` as a box: what is wrong, and what to do next."""
    box("warn", "This needs something first", *str(error).splitlines(), alert=True).show()
