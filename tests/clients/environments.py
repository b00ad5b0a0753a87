"""Environments of their own for clients whose dependencies do not fit beside emrlab's."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from filelock import FileLock

from emrlab.home import cache

HERE = Path(__file__).parent


def interpreter(name: str) -> Path:
    """The Python of the environment that ``<name>-requirements.lock`` describes; made once for each content of it."""
    lock = HERE / f"{name}-requirements.lock"
    digest = hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = cache() / "clients" / f"{name}-{digest}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    whole = folder / "whole"
    with FileLock(f"{folder}.lock"):
        if not whole.exists():
            shutil.rmtree(folder, ignore_errors=True)
            subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
            hashed = ["--require-hashes", "-r", str(lock)]
            uv = subprocess.run(
                [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", str(python), *hashed], check=False
            )
            if uv.returncode:  # a mirror that only pip's configuration knows
                subprocess.run([str(python), "-m", "pip", "install", "--quiet", *hashed], check=True)
            whole.touch()
    return python
