"""solve: a real kernel runs a small notebook; its results decide the exit code."""

from __future__ import annotations

import hashlib
import json

import nbformat
import pytest

REPORT = """
import json, os
def report(exercise, ok):
    assert os.environ["EMRLAB_SOLVE"] == "1" and os.environ["AWS_ENDPOINT_URL"]
    with open(os.environ["EMRLAB_RESULTS"], "a") as file:
        result = {"lab": "1.1", "exercise": exercise, "ok": ok, "message": exercise + " looked at"}
        file.write(json.dumps(result) + "\\n")
"""


@pytest.fixture
def notebook(tmp_path):
    """Write a notebook of these cells after one that defines ``report(exercise, ok)``."""

    def write(*cells):
        content = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in (REPORT, *cells)])
        file = tmp_path / "lab.ipynb"
        nbformat.write(content, file)
        return file

    return write


def test_every_check_is_printed_and_all_good_is_exit_zero(emrlab_command, control, notebook):
    file = notebook("report('q1', True)", "report('q2', True)")
    before = hashlib.sha256(file.read_bytes()).digest()
    result = emrlab_command("solve", str(file))
    assert result.exit_code == 0, result.output
    assert "1.1 q1: q1 looked at" in result.stdout
    assert "All 2 checks passed." in result.stdout
    assert hashlib.sha256(file.read_bytes()).digest() == before
    assert control.calls == ["up None", "down"]


def test_one_failed_check_is_exit_one(emrlab_command, control, notebook):
    result = emrlab_command("solve", str(notebook("report('q1', True)", "report('q2', False)")))
    assert result.exit_code == 1
    assert "failed  1.1 q2" in result.stdout
    assert "1 of 2 checks failed" in result.stderr


def test_a_failing_cell_is_exit_one_and_what_was_checked_is_still_told(emrlab_command, control, notebook):
    result = emrlab_command("solve", str(notebook("report('q1', True)", "1 / 0")))
    assert result.exit_code == 1
    assert "passed  1.1 q1" in result.stdout
    assert "ZeroDivisionError" in result.stderr
    assert "down" in control.calls


def test_a_notebook_that_checks_nothing_has_not_passed(emrlab_command, control, notebook):
    result = emrlab_command("solve", str(notebook("1 + 1")))
    assert result.exit_code == 1
    assert "checked no exercise" in result.stderr


def test_a_dead_kernel_is_told_in_one_line(emrlab_command, control, notebook):
    result = emrlab_command("solve", str(notebook("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")))
    assert result.exit_code == 1
    assert "died" in result.stderr
    assert "Traceback" not in result.output


def test_a_running_region_is_used_and_left_running(emrlab_command, control, notebook):
    control.up()
    emrlab_command("solve", str(notebook("report('q1', True)")))
    assert "down" not in control.calls


def test_keep_leaves_the_region_it_started(emrlab_command, control, notebook):
    emrlab_command("solve", "--keep", str(notebook("report('q1', True)")))
    assert "down" not in control.calls


def test_what_is_not_a_notebook_is_said_in_one_line(emrlab_command, control, tmp_path):
    file = tmp_path / "lab.ipynb"
    file.write_text(json.dumps([])[:1])
    for path in (file, tmp_path / "none.ipynb"):
        result = emrlab_command("solve", str(path))
        assert result.exit_code == 1
        assert "Traceback" not in result.output
