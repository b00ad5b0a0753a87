"""Logs from the nodes to ``LogUri``, in EMR's layout: "View log files" of the Management Guide, gzipped."""

from __future__ import annotations

import gzip
import logging
import threading
from collections.abc import Iterable
from pathlib import Path

from .s3 import S3, S3Error

log = logging.getLogger(__name__)
LOGS = ("var", "log")
STEPS = Path("hadoop", "steps")
CONTAINERS = Path("hadoop-yarn", "containers")
SYSTEM = frozenset({Path("secure")})  # the machine's own, which EMR leaves there


def place(ec2: str, file: Path) -> str:
    """Where a file of a node's ``var/log`` (a relative path) goes, below the cluster's folder in S3."""
    for folder, name in ((STEPS, "steps"), (CONTAINERS, "containers")):
        if file.is_relative_to(folder):
            return f"{name}/{file.relative_to(folder).as_posix()}.gz"
    if file.parts[0] == "bootstrap-actions":
        return f"node/{ec2}/{file.as_posix()}.gz"
    return f"node/{ec2}/applications/{file.as_posix()}.gz"


class LogArchive:
    """One cluster's. ``base``: its folder in S3 (``s3://…/j-…/``), empty without ``LogUri``: then nothing is archived.

    A file is sent when it has changed. What S3 does not take is told in the region's log, and tried again next time.
    """

    def __init__(self, s3: S3, log_uri: str, cluster_id: str) -> None:
        self.s3 = s3
        self.base = f"{log_uri}{cluster_id}/" if log_uri else ""
        self.sent: dict[Path, tuple[int, int]] = {}
        self.lock = threading.Lock()

    def step_file(self, step_id: str, name: str) -> str:
        """Where a step's file is, or will be; empty without ``LogUri``."""
        return f"{self.base}steps/{step_id}/{name}.gz" if self.base else ""

    def push(self, folders: Iterable[Path], below: Path = Path()) -> None:
        """Send what has changed under ``below`` in the ``var/log`` of these nodes' folders."""
        if not self.base:
            return
        with self.lock:
            for folder in folders:
                top = folder.joinpath(*LOGS)
                for file in sorted((top / below).rglob("*")):
                    if (name := file.relative_to(top)) not in SYSTEM:
                        self.send(file, place(folder.name, name))

    def send(self, file: Path, key: str) -> None:
        try:
            if not file.is_file() or file.is_symlink():
                return
            found = file.stat()
            state = (found.st_size, found.st_mtime_ns)
            if not found.st_size or self.sent.get(file) == state:
                return
            self.s3.put(self.base + key, gzip.compress(file.read_bytes(), 6))
            self.sent[file] = state
        except (OSError, S3Error) as error:
            log.warning("%s was not archived: %s", file, error)
