from __future__ import annotations

import json

import pytest
from IPython.core.interactiveshell import InteractiveShell

from emrlab.course import notebook
from emrlab.course.exercises import count_blanks, marked
from emrlab.errors import LabError


@pytest.fixture
def shell(lab):
    """An IPython in this process, with the lab open in it."""
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    notebook.attach(lab)
    shell.user_ns["put"] = lambda key: lab.s3.put_object(Bucket=lab.bucket, Key=key)
    yield shell
    notebook.current = None
    InteractiveShell.clear_instance()


def run(shell, source):
    return shell.run_cell(source, store_history=False)


def test_a_cell_with_blanks_is_not_run(shell, capsys):
    done = run(shell, "# exercise: put\nput(____)\n1 / 0")
    assert done.success
    assert capsys.readouterr().out == "Exercise put: replace the blank ____ and run the cell again. Hint helps.\n"


def test_a_wrong_answer_is_told_what_was_seen_and_expected(shell, capsys):
    run(shell, "# exercise: put\nput('other')")
    assert "not yet. I see no object 'answer'. I expected one" in capsys.readouterr().out


def test_a_right_answer_is_correct(shell, capsys, lab):
    run(shell, "\n# exercise: put\nput('answer')")
    assert "Exercise put: correct. There it is." in capsys.readouterr().out
    assert lab.progress.solved("9.9") == {"put"}


def test_the_magic_means_the_same(shell, capsys):
    run(shell, "%%exercise put\nput('answer')")
    assert "correct" in capsys.readouterr().out


def test_a_cell_that_stops_says_so_and_the_next_cell_goes_on(shell, capsys):
    assert run(shell, "# exercise: put\nnonsense").success
    out = capsys.readouterr().out
    assert "the cell stopped with NameError" in out


def test_variables_of_the_cell_are_the_notebooks(shell):
    run(shell, "# exercise: put\nput('answer')\nmine = 3")
    assert shell.user_ns["mine"] == 3


def test_an_error_for_people_has_no_traceback(shell, capsys):
    run(shell, "# exercise: nothing\n1")
    out = capsys.readouterr()
    assert "Its exercises: put, bare" in out.out
    assert "Traceback" not in out.out + out.err


def test_solving_runs_the_reference_instead(shell, capsys, lab, monkeypatch):
    monkeypatch.setenv("EMRLAB_SOLVE", "1")
    assert run(shell, "# exercise: put\nput(____)").success
    assert lab.state().keys("answer") == ["answer"]


def test_a_solution_that_fails_is_an_error(shell, monkeypatch, lab):
    monkeypatch.setenv("EMRLAB_SOLVE", "1")
    object.__setattr__(lab.definition.exercise("put"), "solution", "put('other')")
    try:
        assert isinstance(run(shell, "# exercise: put\n____").error_in_exec, LabError)
        object.__setattr__(lab.definition.exercise("put"), "solution", "1 / 0")
        assert isinstance(run(shell, "# exercise: put\n____").error_in_exec, LabError)
    finally:
        object.__setattr__(lab.definition.exercise("put"), "solution", "put('answer')\n")


def test_results_are_written_for_others(lab, monkeypatch, tmp_path):
    file = tmp_path / "results.jsonl"
    monkeypatch.setenv("EMRLAB_RESULTS", str(file))
    assert not lab.exercise("put").check().ok
    lab.s3.put_object(Bucket=lab.bucket, Key="answer")
    assert lab.exercise("put").check().ok
    first, second = (json.loads(line) for line in file.read_text().splitlines())
    assert first["message"].startswith("I see no object")
    assert second == {"lab": "9.9", "exercise": "put", "ok": True, "message": "There it is."}


def test_hints_come_in_steps_and_the_last_one_stays(lab):
    attempt = lab.exercise("put")
    assert [attempt.hint() for _ in range(3)] == [
        "Hint 1 of 2: Use put.",
        "Hint 2 of 2: Write 'answer'.",
        "Hint 2 of 2: Write 'answer'.",
    ]
    assert "no hint" in lab.exercise("bare").hint()
    assert "put('answer')" in attempt.solution().text


def test_a_check_that_breaks_still_answers(lab):
    lab.s3.delete_bucket(Bucket=lab.bucket)
    result = lab.exercise("put").check()
    assert not result.ok
    assert "NoSuchBucket" in result.message


@pytest.mark.parametrize(
    ("source", "blanks"),
    [
        ("f(____, ____)", 2),
        ("# ____\n__name__", 0),
        ("'s3://____/x'", 1),
        ("f(____", 1),
        ("x.______", 0),
        ("a____b = 1", 0),
        ("f(", 0),
    ],
)
def test_blanks_are_counted_in_code_and_strings(source, blanks):
    assert count_blanks(source) == blanks


def test_blanks_in_a_shells_line_are_seen(shell):
    assert count_blanks("!aws s3 ls ____", shell) == 1


def test_only_the_first_line_marks_a_cell():
    assert marked(["\n", "# exercise: q-1\n", "x\n"]) == ("q-1", "x\n")
    assert marked(["x\n", "# exercise: q\n"]) is None
    assert marked([]) is None


def test_without_an_open_lab_the_cell_says_how_to_open_one(monkeypatch):
    monkeypatch.setattr(notebook, "current", None)
    with pytest.raises(LabError, match="first cell"):
        notebook.run("put", "")
    assert notebook.transform(["# exercise: put\n"]) == ["# exercise: put\n"]
