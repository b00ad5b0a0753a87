"""A pytest plugin for the notebooks (``-p tests.labs.solved``): they run solved, in a home of their own."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from emrlab.cli import jupyter
from emrlab.home import Home
from emrlab.processes import end, owned
from emrlab.region import control

FOLDER = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    folder = tempfile.mkdtemp(prefix="emrlab-labs-")
    config.stash[FOLDER] = folder
    os.environ |= {"EMRLAB_HOME": folder, "EMRLAB_SOLVE": "1"}
    (Path(folder) / "jupyter").mkdir()
    os.environ |= jupyter.environment(Home(Path(folder)))  # nothing in the user's own folders


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A lab's end leaves no cluster; the region itself is ours to end."""
    home = Home(Path(session.config.stash[FOLDER]).resolve())
    try:
        left = [process for process in owned(home) if "emrlab.region" not in " ".join(process.cmdline())]
        control.down(home)
        if left:
            end(left)
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
            print(f"\nprocesses were left by the labs: {left}")
    finally:
        shutil.rmtree(home.root, ignore_errors=True)
