"""What every lab promises a reader, whoever wrote it."""

from __future__ import annotations

import ast
import re
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest

from emrlab.course.definition import load
from emrlab.course.exercises import count_blanks, marked
from emrlab.course.store import VIEW

LABS = Path(__file__).resolve().parents[2] / "labs"
NOTEBOOKS = sorted(LABS.glob("*/*.ipynb"))
ABSOLUTE = re.compile(r"(?<![\w.:/~-])/(?:root|home|work|Users|tmp)/\w+")


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def file(request):
    return request.param


@pytest.fixture
def notebook(file):
    found = nbformat.read(file, as_version=4)
    nbformat.validate(found)
    return found


@pytest.fixture
def definition(file):
    number = file.stem.partition("-")[0]
    return load(file.parent / f"lab_{number.replace('.', '_')}.py")


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def prose(notebook):
    return "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def exercises(notebook):
    """Exercise cells: id → source."""
    found = (marked(cell.source.splitlines(keepends=True)) for cell in code(notebook))
    return dict(one for one in found if one)


def shown(notebook):
    return [output for cell in code(notebook) for output in cell.outputs]


def test_there_are_labs():
    assert NOTEBOOKS


def test_one_title_and_headings_in_order(notebook, definition):
    levels = [len(mark) for mark in re.findall(r"^(#+) ", prose(notebook), re.MULTILINE)]
    assert notebook.cells[0].source.startswith(f"# {definition.title}\n")
    assert levels.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))


def test_pictures_have_words_and_exist(notebook, file):
    pictures = re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", prose(notebook))
    assert pictures
    for words, place in pictures:
        assert len(words) > 20
        assert (file.parent / place).is_file()
    for output in shown(notebook):
        markup = output.get("data", {}).get("text/html", "")
        assert markup.count("<img ") == len(re.findall(r"<img alt='[^']{20,}'", markup))
        assert "image/png" not in output.get("data", {}), "show figures with lab.figure(…, alt=…)"


def test_it_opens_and_closes_the_lab(notebook, definition):
    assert f'emrlab.lab("{definition.number}")' in code(notebook)[0].source
    assert code(notebook)[-1].source == "lab.close()"


def test_it_takes_half_an_hour_and_says_what_for(definition):
    assert 5 <= definition.minutes <= 30
    assert 2 <= len(definition.goals) <= 6


def test_the_exercises_are_those_of_its_module(notebook, definition):
    assert list(exercises(notebook)) == [one.id for one in definition.exercises]
    assert 3 <= len(definition.exercises) <= 6


def test_every_exercise_has_blanks_hints_and_a_solution_without_blanks(notebook, definition):
    for one in definition.exercises:
        assert count_blanks(exercises(notebook)[one.id]) >= 1, one.id
        ast.parse(one.solution)
        assert count_blanks(one.solution) == 0, one.id
        assert len(one.hints) >= 2, one.id


def test_the_solution_fills_the_blanks_and_changes_nothing_else(notebook, definition):
    """A learner who follows the notebook and one who looks at the solution have the same cell."""
    for one in definition.exercises:
        blank = re.escape(exercises(notebook)[one.id].strip())
        assert re.fullmatch(blank.replace("____", r"[^\n]+?"), one.solution.strip()), one.id


def test_outputs_are_stored_and_none_is_an_error(notebook):
    assert all(cell.execution_count for cell in code(notebook)), "run: python -m emrlab.course.store"
    assert len(shown(notebook)) > len(code(notebook)) / 2
    assert not [output for output in shown(notebook) if output.output_type == "error"]
    assert not [output for output in shown(notebook) if output.get("name") == "stderr"]
    assert not [output for output in shown(notebook) if VIEW in output.get("data", {})]


def test_rich_outputs_have_words_too(notebook):
    for output in shown(notebook):
        data = output.get("data", {})
        assert not data or data.get("text/plain", "").strip()


def test_no_path_of_a_machine_is_in_it(file):
    assert not ABSOLUTE.findall(file.read_text())


def test_nobody_elsewhere_is_asked_for_anything(notebook):
    for output in shown(notebook):
        assert not re.search(r"(src|href)=['\"]https?://(?!127\.)", str(output.get("data", {}).get("text/html", "")))
