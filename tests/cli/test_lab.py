"""lab: everything ready, then this process becomes JupyterLab."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from emrlab.cli import jupyter
from emrlab.cli.lab import command, target
from emrlab.errors import LabError
from emrlab.home import home


class Replaced(Exception):
    """This process would have become another one."""


@pytest.fixture
def executed(monkeypatch):
    seen = {}

    def execve(file, arguments, env):
        seen.update(file=file, arguments=arguments, env=env)
        raise Replaced

    monkeypatch.setattr(os, "execve", execve)
    return seen


@pytest.fixture
def labs(tmp_path, monkeypatch):
    """A labs folder with one notebook."""
    folder = tmp_path / "labs"
    (folder / "1").mkdir(parents=True)
    (folder / "1" / "a b.ipynb").write_text("{}")
    monkeypatch.setattr(jupyter, "labs", lambda: folder)
    return folder


def test_all_is_ready_before_jupyterlab_takes_over(emrlab_command, control, shop, labs, executed):
    result = emrlab_command("lab", "--no-browser", "--port", "9999")
    assert isinstance(result.exception, Replaced), result.output
    assert control.calls == ["up None"]
    assert shop.prepared == ["Hadoop", "Spark"]
    assert "--ServerApp.ip=127.0.0.1" in executed["arguments"]
    assert {"--no-browser", "--ServerApp.port=9999"} <= set(executed["arguments"])
    assert executed["env"]["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4599"
    assert "emrlab down" in result.stdout


def test_jupyter_writes_under_the_home_alone(place):
    env = jupyter.environment(home())
    for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "MPLCONFIGDIR"):
        assert Path(env[name]).is_relative_to(place)
    assert env["PATH"].startswith(str(Path(sys.executable).parent))


def test_a_folder_the_user_chose_stays(place, monkeypatch):
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", "/mine")
    assert jupyter.environment(home())["JUPYTER_CONFIG_DIR"] == "/mine"


def test_jupyterlab_reads_our_settings(place, tmp_path):
    jupyter.write_settings(place / "jupyter" / "settings")
    code = (
        "import json; from jupyterlab_server.settings_utils import _get_overrides\n"
        f"print(json.dumps(_get_overrides({str(tmp_path)!r})[0]))"
    )
    env = jupyter.environment(home())
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env).stdout
    assert json.loads(out).items() >= jupyter.SETTINGS.items()


def test_a_notebook_of_the_labs_opens_among_the_labs(labs, tmp_path):
    notebook = labs / "1" / "a b.ipynb"
    assert target(notebook) == (labs, "1/a b.ipynb")
    assert target(labs) == (labs, "")
    assert target(tmp_path) == (tmp_path, "")
    assert any(part.endswith("/lab/tree/1/a%20b.ipynb") for part in command(*target(notebook), False, None))


def test_a_missing_notebook_is_said_before_anything_starts(emrlab_command, control, labs):
    result = emrlab_command("lab", "no/such.ipynb")
    assert (result.exit_code, control.calls) == (1, [])
    assert "There is no" in result.stderr


def test_without_a_checkout_it_says_where_the_labs_are(monkeypatch, tmp_path):
    monkeypatch.setattr(jupyter, "__file__", str(tmp_path / "site" / "emrlab" / "cli" / "jupyter.py"))
    with pytest.raises(LabError, match="make lab"):
        jupyter.labs()
