"""Bootstrap actions: scripts that run on every node before the applications start.

See "Create bootstrap actions to install additional software with an Amazon EMR cluster", and for the errors "Error
codes with ErrorDetail information in Amazon EMR".
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ..nodes.node import Node
from .s3 import S3, S3Error, is_s3

LOGS = "var/log/bootstrap-actions"
PLACE = "mnt/var/lib/bootstrap-actions"
SECONDS = 3600
POLL = 0.1
Action = dict[str, Any]
Place = tuple[str, bool, Node]  # EC2 instance id, whether it is the master, the node


class BootstrapError(Exception):
    """A bootstrap action failed on some node. ``code`` and ``data``: EMR's ``ErrorDetail``."""

    def __init__(self, message: str, code: str, data: dict[str, str]) -> None:
        super().__init__(message)
        self.detail = {"ErrorCode": code, "ErrorMessage": message, "ErrorData": [data]}


def run(actions: Sequence[Action], nodes: Sequence[Place], s3: S3, stopped: Callable[[], bool]) -> None:
    """Run all actions on all ``nodes``: one after the other on each node, all nodes at a time.

    Raises ``BootstrapError`` for the first that fails; returns early when ``stopped``.
    """
    if not actions:
        return
    with ThreadPoolExecutor(len(nodes), thread_name_prefix="bootstrap") as pool:
        futures = [pool.submit(on_node, actions, ec2, master, node, s3, stopped) for ec2, master, node in nodes]
    for future in futures:
        future.result()


def on_node(actions: Sequence[Action], ec2: str, master: bool, node: Node, s3: S3, stopped: Callable[[], bool]) -> None:
    for number, action in enumerate(actions, 1):
        if stopped():
            return
        one(number, action, ec2, master, node, s3, stopped)


def one(number: int, action: Action, ec2: str, master: bool, node: Node, s3: S3, stopped: Callable[[], bool]) -> None:
    logs, place = node.path(LOGS, str(number)), node.path(PLACE, str(number))
    for folder in (logs, place):
        folder.mkdir(parents=True, exist_ok=True)
    said = Controller(logs / "controller")
    kind = "primary" if master else "core-or-task"
    data = {f"{kind}-instance-id": ec2, "bootstrap-action": str(number), "amazon-s3-path": action["ScriptPath"]}
    side = "PRIMARY" if master else "WORKER"
    said(f"Creating working dir {place}")
    try:
        script = fetched(action["ScriptPath"], place, s3)
    except (S3Error, OSError) as error:
        said(f"Could not fetch {action['ScriptPath']}: {error}")
        where = "Master" if master else "Worker"
        raise BootstrapError(
            f"{where} instance ({ec2}) failed attempting to download bootstrap action {number} file from S3",
            f"BOOTSTRAP_FAILURE_BA_DOWNLOAD_FAILED_{side}",
            data,
        ) from error
    command = [*interpreter(script), str(script), *action["Args"]]
    said(f"startExec '{' '.join([action['ScriptPath'], *action['Args']])}'")
    begun = time.monotonic()
    code = waited(node, command, place, logs, stopped)
    if code is None:
        said("The cluster is being terminated; the bootstrap action was ended.")
        return
    said(f"waitProcessCompletion ended with exit code {code} after {time.monotonic() - begun:.1f} seconds")
    if code:
        where = "master" if master else "worker"
        raise BootstrapError(
            f"On the {where} instance ({ec2}), bootstrap action {number} returned a non-zero return code",
            f"BOOTSTRAP_FAILURE_{side}_WITH_NON_ZERO_CODE",
            {**data, "return-code": str(code)},
        )


def fetched(path: str, place: Path, s3: S3) -> Path:
    """The script on the node: downloaded, or a file of this machine."""
    if is_s3(path):
        file = place / (path.rpartition("/")[2] or "script")
        s3.download(path, file)
        file.chmod(0o755)
    else:
        file = Path(path.removeprefix("file://"))
        if not file.is_file():
            raise FileNotFoundError(f"there is no file {file}")
    return file


def interpreter(script: Path) -> list[str]:
    """What runs a script that does not say so itself."""
    with script.open("rb") as file:
        return [] if file.read(2) == b"#!" else ["bash"]


def waited(node: Node, command: list[str], place: Path, logs: Path, stopped: Callable[[], bool]) -> int | None:
    """The exit code; None when ``stopped`` came first."""
    with (logs / "stdout").open("wb") as out, (logs / "stderr").open("wb") as err:
        try:
            process = node.run(command, cwd=place, stdout=out, stderr=err)
        except ProcessLookupError:
            return None
        except OSError as error:
            err.write(f"{error}\n".encode())
            return 126
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                return int(process.wait(POLL))
            except subprocess.TimeoutExpired:
                if stopped():
                    return None
                if time.monotonic() > deadline:
                    err.write(f"ended after {SECONDS} seconds, the most a bootstrap action may take\n".encode())
                    process.kill()


class Controller:
    """A ``controller`` log: what EMR itself does with a bootstrap action or a step."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __call__(self, text: str, level: str = "INFO") -> None:
        now = time.time()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
        with self.file.open("a") as out:
            out.write(f"{stamp}.{int(now % 1 * 1000):03d}Z {level} {text}\n")
