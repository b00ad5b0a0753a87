"""The group itself: help, errors, speed by not importing."""

from __future__ import annotations

import subprocess
import sys

import pytest

from emrlab.cli import main
from emrlab.errors import LabError

HEAVY = {"boto3", "botocore", "rich", "nbclient", "nbformat", "pandas", "pyspark", "uvicorn", "ministack", "moto"}


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=60, check=False)


def test_every_command_is_there_and_has_help(emrlab_command):
    for name in main.commands_at:
        result = emrlab_command(name, "--help")
        assert result.exit_code == 0, result.output
        assert result.output.split("\n\n")[1].split()[0] == main.help_of[name].split()[0]


def test_the_help_lists_every_command(emrlab_command):
    assert set(main.commands_at) == set(main.help_of)
    output = emrlab_command("--help").output
    assert all(f"  {name} " in output for name in main.commands_at)


def test_python_dash_m_is_the_same_command():
    result = python("-m", "emrlab", "--version")
    assert (result.returncode, result.stdout.split()[0]) == (0, "emrlab")


def test_help_and_env_import_nothing_heavy():
    code = (
        "import sys; from emrlab.cli import main\n"
        "import emrlab.cli.region\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    loaded = python("-c", code).stderr
    assert not [name for name in HEAVY if f"'{name}'" in loaded]


def test_an_unknown_command_is_refused_with_the_way_out(emrlab_command):
    result = emrlab_command("dance")
    assert result.exit_code == 2
    assert "--help" in result.stderr


def test_an_error_for_people_is_one_line_without_traceback(emrlab_command, control):
    control.fails = LabError("Port 1 is taken. Choose another: emrlab up --port 4600")
    result = emrlab_command("up")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == "Port 1 is taken. Choose another: emrlab up --port 4600"
    assert "Traceback" not in result.output


@pytest.mark.parametrize("colour", [True, False])
def test_colour_only_where_it_can_be_seen(emrlab_command, control, colour):
    result = emrlab_command("env", color=colour)
    assert ("\x1b[31m" in result.stderr) is colour
