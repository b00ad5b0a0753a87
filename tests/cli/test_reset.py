"""reset: says what is lost, asks, and deletes that alone."""

from __future__ import annotations

import pytest

from emrlab.cli.reset import used


@pytest.fixture
def lived_in(place):
    """A home with a bucket's object, a cluster, progress and Jupyter's settings."""
    for name in ("region/s3/object", "clusters/j-1/i-1/log", "progress/1.1.json", "jupyter/config/x.json", "notes.txt"):
        file = place / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("12345")
    return place


def left(place):
    return sorted(path.name for path in place.iterdir())


def test_it_lists_what_is_lost_before_it_deletes(emrlab_command, control, lived_in):
    result = emrlab_command("reset", "--yes")
    assert result.exit_code == 0, result.output
    assert "j-1" in result.stdout
    assert "buckets" in result.stdout
    assert left(lived_in) == ["jupyter", "notes.txt", "progress"]
    assert control.calls == ["down"]


def test_progress_goes_only_with_all(emrlab_command, control, lived_in):
    result = emrlab_command("reset", "--all", "--yes")
    assert "what you have solved" in result.stdout
    assert left(lived_in) == ["notes.txt"]


def test_nobody_to_ask_means_no(emrlab_command, control, lived_in):
    before = left(lived_in)
    result = emrlab_command("reset")
    assert (result.exit_code, left(lived_in), control.calls) == (1, before, [])
    assert "--yes" in result.stderr


def test_twice_is_harmless(emrlab_command, control, lived_in):
    emrlab_command("reset", "--yes")
    again = emrlab_command("reset", "--yes")
    assert (again.exit_code, again.stdout) == (0, f"Nothing to delete in {lived_in}.\n")


def test_a_home_that_is_not_ours_is_left_alone(emrlab_command, control, lived_in, monkeypatch):
    monkeypatch.setenv("HOME", str(lived_in))
    before = left(lived_in)
    result = emrlab_command("reset", "--yes")
    assert (result.exit_code, left(lived_in)) == (1, before)
    assert "EMRLAB_HOME" in result.stderr


def test_links_are_counted_not_followed(tmp_path):
    outside = tmp_path / "outside"
    outside.write_text("x" * 10_000)
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "file").write_text("123")
    (inside / "link").symlink_to(outside)
    assert used(inside) < 1000
