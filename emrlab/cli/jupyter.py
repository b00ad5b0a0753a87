"""Jupyter's own folders and settings, kept under the home."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from ..errors import LabError
from ..home import Home

# No question about news and updates in front of the first cell.
SETTINGS = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}}


def labs() -> Path:
    """The checkout's ``labs`` folder."""
    folder = Path(__file__).resolve().parents[2] / "labs"
    if not folder.is_dir():
        raise LabError("The labs lie in the checkout, and this emrlab does not run from one. Clone it, then: make lab")
    return folder


def environment(home: Home) -> dict[str, str]:
    """This process's environment for Jupyter and its kernels: everything they write goes under ``home``.

    What the user has set (``JUPYTER_CONFIG_DIR`` …) stays. This Python's commands (``emrlab``, ``aws``, ``python``)
    come first on the PATH, and are what Spark runs Python code with.
    """
    root = home.root / "jupyter"
    env = dict(os.environ)
    folders = {
        "JUPYTER_CONFIG_DIR": root / "config",
        "JUPYTER_DATA_DIR": root / "data",
        "JUPYTER_RUNTIME_DIR": root / "runtime",
        "IPYTHONDIR": root / "ipython",
        "MPLCONFIGDIR": root / "matplotlib",
    }
    for name, folder in folders.items():
        env.setdefault(name, str(folder))
    earlier = [env["JUPYTER_CONFIG_PATH"]] if env.get("JUPYTER_CONFIG_PATH") else []
    env["JUPYTER_CONFIG_PATH"] = os.pathsep.join([str(root / "settings"), *earlier])
    env["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), env.get("PATH", os.defpath)])
    env.setdefault("PYSPARK_PYTHON", sys.executable)
    return env


def write_settings(folder: Path) -> None:
    """Put JupyterLab's settings into a folder of its configuration path (``labconfig``)."""
    file = folder / "labconfig" / "default_setting_overrides.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(SETTINGS, indent=2) + "\n")
