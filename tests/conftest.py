"""A real region for the tests that need one; a folder with stand-ins of its own overrides these by name.

``home``, ``region`` and ``aws`` live as long as a test module: its tests share one region, so each takes names of its
own (buckets, roles, clusters). While they live, this process's environment is a learner's after ``emrlab env``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest

from emrlab.home import Home
from emrlab.processes import end, owned
from emrlab.region import control


def empty_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """An empty home, the one in force (``EMRLAB_HOME``). Whatever it owns in the end is ended."""
    with pytest.MonkeyPatch.context() as patch:
        root = tmp_path_factory.mktemp("home").resolve()
        patch.setenv("EMRLAB_HOME", str(root))
        yield Home(root)
        end(owned(Home(root)))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """The module's home."""
    yield from empty_home(tmp_path_factory)


def running_region(home: Home) -> Iterator[control.Region]:
    """The running region of ``home``. Taken down afterwards; a process it leaves fails the last test that used it."""
    with pytest.MonkeyPatch.context() as patch:
        found = control.up(home)
        for name, value in control.environment(found).items():
            patch.setenv(name, value)
        yield found
        control.down(home)
        assert list(owned(home)) == []


@pytest.fixture(scope="module")
def region(home: Home) -> Iterator[control.Region]:
    """The module's region."""
    yield from running_region(home)


@pytest.fixture(scope="module")
def aws(region: control.Region) -> Callable[..., Any]:
    """``aws("s3")``: a boto3 client on ``region``, set up by the environment alone."""
    session = boto3.session.Session()
    return session.client
