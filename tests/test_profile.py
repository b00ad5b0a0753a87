"""How much of the machine a lab may use."""

from __future__ import annotations

import pytest

from emrlab import profile
from emrlab.errors import LabError

GIB = 2**30


def having(monkeypatch, bytes_):
    monkeypatch.delenv(profile.VARIABLE, raising=False)
    monkeypatch.setattr(profile, "memory", lambda: bytes_)
    return profile.profile()


def test_a_small_container_gets_one_core_node_and_small_heaps(monkeypatch):
    found = having(monkeypatch, 2 * GIB)
    assert (found.name, found.core_nodes, found.heap_mb) == ("small", 1, 320)


def test_a_laptop_gets_more(monkeypatch):
    found = having(monkeypatch, 16 * GIB)
    assert found.name == "standard"
    assert found.core_nodes > 4
    assert found.heap_mb >= 512


def test_a_control_groups_limit_counts_where_it_is_less(monkeypatch, tmp_path):
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(profile, "LIMITS", (str(limit),))
    most = profile.memory()  # no such file
    limit.write_text("max\n")
    assert profile.memory() == most
    limit.write_text(f"{GIB}\n")
    assert profile.memory() == GIB


def test_the_environment_may_choose_and_a_wrong_choice_is_told(monkeypatch):
    monkeypatch.setenv(profile.VARIABLE, "small")
    assert profile.profile().name == "small"
    monkeypatch.setenv(profile.VARIABLE, "standard")
    assert profile.profile().name == "standard"
    monkeypatch.setenv(profile.VARIABLE, "tiny")
    with pytest.raises(LabError, match=r"'tiny'\. It can be small or standard"):
        profile.profile()
