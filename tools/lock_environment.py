"""Make the locks from pyproject.toml, and the conda environments from the lock.

``pyproject.toml`` says what is needed; this writes which versions exactly (``make lock``):

- ``requirements-setup.lock``: the installer itself,
- ``requirements.lock``: what a learner needs,
- ``requirements-dev.lock``: the same versions and what the tests need besides,
- ``tests/clients/airflow-requirements.lock``: what a test's own environment holds,
- ``environment.yml`` and ``binder/environment.yml``: ``requirements.lock`` once more, for conda and Binder.

Versions already locked stay as they are unless ``--upgrade`` is given. No lock names a registry: whoever installs
uses their own.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCKS: dict[str, list[str]] = {
    "requirements.lock": ["pyproject.toml"],
    "requirements-dev.lock": ["pyproject.toml", "--extra", "dev", "--constraint", "requirements.lock"],
    "requirements-setup.lock": ["--group", "setup", "--constraint", "requirements.lock"],
    "tests/clients/airflow-requirements.lock": ["--group", "airflow"],
}
ENVIRONMENTS = ("environment.yml", "binder/environment.yml")
HEADER = "# Made from pyproject.toml by `make lock`: change it there.\n"
PIN = re.compile(r"^(?P<pin>[a-z0-9][a-z0-9._-]*==\S+(?: ; [^\\]*[^\\ ])?)", re.MULTILINE)


def pins(lock: str) -> list[str]:
    """The pins of a lock's text, as ``name==version`` or ``name==version ; marker``, without their hashes."""
    return [match["pin"] for match in PIN.finditer(lock)]


def environment(lock: str) -> str:
    """The conda environment (YAML text) with exactly the pins of ``lock``."""
    lines = ["name: emrlab", "channels:", "  - conda-forge", "dependencies:", "  - python=3.11", "  - pip", "  - pip:"]
    return "# Made from requirements.lock by `make lock`.\n" + "\n".join(
        [*lines, *(f'      - "{pin}"' for pin in pins(lock))]
    ) + "\n"  # fmt: skip


def compile_lock(name: str, arguments: list[str], upgrade: bool) -> None:
    """Resolve one lock in place with uv, for every platform at once."""
    fixed = ["--generate-hashes", "--universal", "--python-version", "3.11", "--no-header", "--quiet"]
    more = ["--upgrade"] if upgrade else []
    command = [sys.executable, "-m", "uv", "pip", "compile", *arguments, *fixed, *more, "--output-file", name]
    subprocess.run(command, cwd=ROOT, check=True)
    file = ROOT / name
    file.write_text(HEADER + file.read_text().removeprefix(HEADER))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--upgrade", action="store_true", help="take newer versions where pyproject.toml allows")
    upgrade = parser.parse_args().upgrade
    for name, arguments in LOCKS.items():
        print(f"resolving {name} …", flush=True)
        try:
            compile_lock(name, arguments, upgrade)
        except subprocess.CalledProcessError as error:
            print(f"uv could not resolve {name} (exit {error.returncode}); its message is above.", file=sys.stderr)
            return 1
    text = environment((ROOT / "requirements.lock").read_text())
    for name in ENVIRONMENTS:
        (ROOT / name).write_text(text)
    print("locked: look at `git diff`, run `make test`, commit the files together.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
