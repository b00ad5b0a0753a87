from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

from emrlab.course.progress import NoProgress, Progress
from emrlab.home import home


def test_attempts_are_counted_and_what_is_solved_stays_solved():
    progress = Progress(home())
    for ok in (False, True, False):
        progress.attempt("1.1", "launch", ok)
    assert progress.solved("1.1") == {"launch"}
    assert progress.read()["labs"]["1.1"]["exercises"]["launch"]["attempts"] == 3


def test_starting_again_does_not_reset():
    progress = Progress(home())
    progress.attempt("1.1", "launch", True)
    before = progress.file.read_text()
    progress.started("1.1")
    assert progress.file.read_text() == before


def test_two_notebooks_do_not_lose_each_others_attempts():
    def attempt(number):
        Progress(home()).attempt("1.1", f"q{number % 4}", True)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(attempt, range(40)))
    exercises = Progress(home()).read()["labs"]["1.1"]["exercises"]
    assert {name: one["attempts"] for name, one in exercises.items()} == {f"q{number}": 10 for number in range(4)}


def test_an_unreadable_file_is_kept_aside():
    progress = Progress(home())
    progress.started("1.1")
    for text in ("{half", "[1]"):
        progress.file.write_text(text)
        progress.attempt("1.1", "launch", True)
    kept = sorted(file.name for file in progress.file.parent.glob("progress.unreadable-*"))
    assert kept == ["progress.unreadable-1.json", "progress.unreadable-2.json"]
    assert progress.solved("1.1") == {"launch"}


def test_no_half_written_file_is_ever_left():
    progress = Progress(home())
    progress.attempt("1.1", "launch", True)
    names = {file.name for file in progress.file.parent.iterdir()}
    assert names == {"progress.json", "progress.json.lock"}
    json.loads(progress.file.read_text())


def test_a_solved_run_notes_nothing():
    progress = NoProgress(home())
    progress.attempt("1.1", "launch", True)
    assert not progress.file.exists()
    assert progress.solved("1.1") == set()
