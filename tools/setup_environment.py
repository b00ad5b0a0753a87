"""Make ``.venv`` exactly what the locks say; instant when it already is. Needs Python 3.11 and nothing else.

The pinned uv is installed into ``.venv`` first and does the rest; where uv cannot reach what pip can (a mirror that
only pip's configuration knows), pip takes over. Either way every file's hash must be the locked one.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WANTED = (3, 11)
SETUP, LEARNER, DEV = "requirements-setup.lock", "requirements.lock", "requirements-dev.lock"
# Packages that come as source are built with what SETUP holds, not with whatever is newest today.
LOCKED = ("--require-hashes", "--no-build-isolation")
NO_DOWNLOAD = (
    "The environment could not be installed; the reason is above. If it was a download: check the network (and your\n"
    "pip or uv settings, if you use a mirror), then run the same command again. What was downloaded is kept."
)


class SetupError(Exception):
    """Something a person can put right; the message says how."""


class Environment:
    """One virtual environment and the stamp that says which locks it holds."""

    def __init__(self, root: Path = ROOT) -> None:
        self.root = root
        self.folder = root / ".venv"
        self.python = self.folder / ("Scripts" if os.name == "nt" else "bin") / "python"
        self.stamp = self.folder / "emrlab-setup.json"

    def digest(self, kind: str) -> str:
        """What the environment of ``kind`` is made of: the locks, our own metadata, and where it lies."""
        files = [SETUP, LEARNER, "pyproject.toml", *([DEV] if kind == "dev" else [])]
        parts = [str(self.root), *((self.root / name).read_text() for name in files)]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def held(self) -> dict[str, str]:
        """The stamp's content: kind → digest; empty when the last set-up did not finish."""
        try:
            return dict(json.loads(self.stamp.read_text()))
        except (OSError, ValueError):
            return {}

    def ready(self, kind: str) -> bool:
        """Whether nothing has to be done for ``kind``. The dev environment serves learners too."""
        held = self.held()
        return self.python.exists() and any(held.get(k) == self.digest(k) for k in dict.fromkeys((kind, "dev")))

    def create(self) -> None:
        """A virtual environment of the right Python, unless there is one."""
        probe = [str(self.python), "-c", "import sys, pip; sys.exit(sys.version_info[:2] != (3, 11))"]
        if self.python.exists() and not subprocess.run(probe, capture_output=True, check=False).returncode:
            return
        say(f"making .venv with Python {sys.version.split()[0]} …")
        shutil.rmtree(self.folder, ignore_errors=True)
        made = run([sys.executable, "-m", "venv", str(self.folder)])
        if made.returncode:
            raise SetupError(
                f"{made.stdout.strip()}\nThis Python cannot make virtual environments. On Debian or Ubuntu: "
                "sudo apt install python3.11-venv; then run the same command again."
            )

    def install(self, kind: str) -> None:
        """Everything the lock of ``kind`` pins, and emrlab itself as it lies in this checkout."""
        pip = [str(self.python), "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
        uv = [str(self.python), "-m", "uv", "pip"]
        lock = DEV if kind == "dev" else LEARNER
        count = sum(line[:1].isalnum() for line in (self.root / lock).read_text().splitlines())
        with progress("the installer (uv)"):
            self.must([*pip, "--require-hashes", "-r", SETUP])
        with progress(f"{count} packages from {lock} (1.3 GB on disk; the first time takes a minute or more)"):
            made = self.run([*uv, "sync", "--python", str(self.python), *LOCKED, SETUP, lock])
        if made.returncode:
            say(f"uv could not install them ({last_line(made.stdout)}); trying with pip, which takes longer …")
            with progress(f"{count} packages with pip"):
                self.must([*pip, *LOCKED, "-r", SETUP, "-r", lock])
        with progress("emrlab itself"):
            self.must([*pip, "--no-deps", "--no-build-isolation", "--no-index", "--editable", str(self.root)])

    def run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return run(command, cwd=self.root)

    def must(self, command: list[str]) -> None:
        made = self.run(command)
        if made.returncode:
            raise SetupError(f"{made.stdout.strip()}\n\n{NO_DOWNLOAD}")

    def set_up(self, kind: str) -> bool:
        """Bring the environment to what the locks say; False when it was so already."""
        if self.ready(kind):
            return False
        if "dev" in self.held():
            kind = "dev"  # a developer's environment stays one
        self.create()
        self.stamp.unlink(missing_ok=True)
        self.install(kind)
        self.stamp.write_text(json.dumps({kind: self.digest(kind)}))
        return True


def run(command: list[str], cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run to the end, both outputs in ``stdout``; another environment's variables do not reach it."""
    env = {name: value for name, value in os.environ.items() if name not in {"VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH"}}
    env["PATH"] = os.pathsep.join([str(Path(command[0]).parent), env.get("PATH", os.defpath)])  # uv_build looks there
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.run(command, cwd=cwd, env=env, text=True, check=False, **streams)  # type: ignore[call-overload]


def last_line(text: str) -> str:
    """The innermost reason of an error message of several lines."""
    return (text.strip().splitlines() or ["no message"])[-1].strip()


def say(line: str) -> None:
    print(f"setup: {line}", flush=True)


@contextmanager
def progress(what: str) -> Iterator[None]:
    """Say what is being installed, and on a terminal for how long."""
    start, done = time.monotonic(), threading.Event()
    say(f"installing {what} …")

    def tick() -> None:
        while not done.wait(1):
            print(f"\r       {time.monotonic() - start:.0f} s ", end="", flush=True)

    ticker = threading.Thread(target=tick, daemon=True)
    if sys.stdout.isatty():
        ticker.start()
    try:
        yield
    finally:
        done.set()
        if ticker.ident:
            ticker.join()
            print("\r" + " " * 20 + "\r", end="", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--dev", action="store_true", help="with what the tests need")
    kind = "dev" if parser.parse_args().dev else "learner"
    if sys.version_info[:2] != WANTED:
        print(f"setup: Python 3.11 is needed, this is {sys.version.split()[0]}.", file=sys.stderr)
        return 1
    start = time.monotonic()
    try:
        if Environment().set_up(kind):
            say(f"done in {time.monotonic() - start:.0f} s; .venv holds what the locks say.")
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nsetup: interrupted; run the same command again to finish.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
