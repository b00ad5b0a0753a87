"""clock: shown, set, kept."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from emrlab.cli import main
from emrlab.clock import Clock
from emrlab.home import Home


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("EMRLAB_HOME", str(tmp_path))
    monkeypatch.delenv("EMRLAB_CLOCK", raising=False)
    return lambda *words: CliRunner().invoke(main, ["clock", *words])


def test_it_is_ten_times_as_fast_until_set(run, tmp_path):
    assert "10 lab seconds pass in a true one: EMR's 5 minutes take 30 seconds" in run().output
    assert "take 5 minutes" in run("1").output
    assert run().output.startswith("1 lab seconds")
    assert Clock(Home(tmp_path)).true(300) == 300


@pytest.mark.parametrize("factor", ["0.5", "1001", "-3", "nan"])
def test_what_no_clock_can_do_is_refused_and_changes_nothing(run, factor, tmp_path):
    done = run("--", factor)
    assert done.exit_code == 1
    assert "from 1 (as on AWS) to 1000" in done.output
    assert Clock(Home(tmp_path)).factor == 10


def test_the_environment_sets_the_first_one(run, monkeypatch, tmp_path):
    monkeypatch.setenv("EMRLAB_CLOCK", "60")
    assert Clock(Home(tmp_path)).factor == 60
    monkeypatch.setenv("EMRLAB_CLOCK", "fast")
    assert Clock(Home(tmp_path)).factor == 10


def test_a_spoilt_file_is_no_clock(run, tmp_path):
    run("20")
    (tmp_path / "region" / "clock").write_text("soon\n")
    assert Clock(Home(tmp_path)).factor == 10
