"""A step at work on the master node: its process, its logs, its end."""

from __future__ import annotations

import logging
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..nodes.node import Node, signal_group, tail
from . import failure
from .bootstrap import Controller
from .history import History
from .jar_step import CannotRun, work
from .log_archive import CONTAINERS, LOGS, STEPS, LogArchive
from .records import Step
from .s3 import S3

log = logging.getLogger(__name__)
PLACE = "mnt/var/lib/hadoop/steps"
SYSLOG = "syslog"
OUTPUTS = ("stderr", SYSLOG, "stdout")  # in the order in which the cause of a failure is looked for
LOG_BYTES = 256 * 1024  # of the end of a log, where the cause of a failure is looked for


class StepRun(threading.Thread):
    """Runs one step, which is PENDING, and tells ``done`` when it is over. ``nodes``: where its containers log."""

    def __init__(
        self,
        step: Step,
        history: History,
        nodes: Callable[[], list[Node]],
        master: Node,
        s3: S3,
        archive: LogArchive,
        done: Callable[[], None],
    ) -> None:
        super().__init__(name=step.id, daemon=True)
        self.step, self.history, self.nodes, self.master = step, history, nodes, master
        self.s3, self.archive, self.done = s3, archive, done
        self.lock = threading.Lock()
        self.process: subprocess.Popen[Any] | None = None
        self.signal: signal.Signals | None = None
        self.interrupted = False
        self.logs = master.path(*LOGS, STEPS.as_posix(), step.id)

    def run(self) -> None:
        try:
            self.work()
        except Exception as error:  # a full disk, for one
            log.exception("step %s", self.step.id)
            self.finish("FAILED", {"Reason": failure.UNKNOWN, "Message": f"{type(error).__name__}: {error}"})
        finally:
            self.done()

    def work(self) -> None:
        folder = self.master.path(PLACE, self.step.id)
        for each in (self.logs, folder):
            each.mkdir(parents=True, exist_ok=True)
        said = Controller(self.logs / "controller")
        said(f"Ensure step jar file {self.step.jar}")
        begun = time.monotonic()
        try:
            task = work(self.step, self.master, self.s3, folder)
        except CannotRun as error:
            said(str(error), "ERROR")
            self.archive.push([self.master.folder], STEPS / self.step.id)
            self.finish("FAILED", failure.details(str(error), None, self.archive.step_file(self.step.id, "controller")))
            return
        said(f"startExec '{' '.join([*self.step.jar.split('/')[-1:], *self.step.arguments])}'")
        said(f"Environment: PATH={self.master.environment['PATH']}")
        for name in ("stdout", "stderr"):
            said(f"redirect {name} to {self.logs / name}")
        said(f"Working dir {folder}")
        code = self.execute(task.command, {**task.env, **self.environment()}, folder, said)
        said(f"waitProcessCompletion ended with exit code {code}")
        said(f"total process run time: {time.monotonic() - begun:.1f} seconds")
        self.archive.push([self.master.folder], STEPS / self.step.id)
        self.archive.push([node.folder for node in self.nodes()], CONTAINERS)
        self.conclude(code)

    def environment(self) -> dict[str, str]:
        """What every step's process has. Hadoop logs to the step's ``syslog`` ("View log files": it describes the
        execution of Hadoop jobs in the step); what a program prints itself is in ``stdout`` and ``stderr``.
        """
        log = {"HADOOP_ROOT_LOGGER": "INFO,DRFA", "HADOOP_LOG_DIR": str(self.logs), "HADOOP_LOGFILE": SYSLOG}
        return {**log, "EMR_STEP_ID": self.step.id}

    def execute(self, command: list[str], env: dict[str, str], folder: Path, said: Controller) -> int:
        """The exit code; negative: the signal that ended it."""
        with (self.logs / "stdout").open("wb") as out, (self.logs / "stderr").open("wb") as err:
            with self.lock:
                if self.signal is not None or self.interrupted:
                    return -int(self.signal or signal.SIGTERM)
                try:
                    self.process = self.master.run(command, env, cwd=folder, stdout=out, stderr=err)
                except OSError as error:
                    err.write(f"{error}\n".encode())
                    return 126
            said(f"ProcessRunner started child process {self.process.pid}")
            return int(self.process.wait())

    def conclude(self, code: int) -> None:
        if code == 0:
            self.finish("COMPLETED")
        elif self.interrupted:
            self.finish("INTERRUPTED")
        elif self.signal is not None:
            self.finish("CANCELLED")
        else:
            name, said = failure.told_in({each: tail(self.logs / each, LOG_BYTES) for each in OUTPUTS})
            self.finish("FAILED", failure.details(said, code, self.archive.step_file(self.step.id, name)))

    def finish(self, state: str, details: dict[str, str] | None = None) -> None:
        with self.history.changing(Step, self.step.id) as step:
            if step.over:
                return
            if state in ("CANCELLED", "INTERRUPTED") and state not in step.LIFE[step.state]:
                state = "FAILED"
            step.failure = details or {}
            step.move(state, step.reason if state == "CANCELLED" else "")

    def cancel(self, kill: bool) -> None:
        """Send what CancelSteps asks for: SIGINT, or SIGKILL to all that the step has started itself."""
        self.send(signal.SIGKILL if kill else signal.SIGINT)

    def interrupt(self) -> None:
        """The cluster ends: so does the step."""
        self.interrupted = True
        self.send(signal.SIGTERM)

    def send(self, number: signal.Signals) -> None:
        with self.lock:
            self.signal = number
            process = self.process
        if process is not None and process.poll() is None:
            signal_group(process, number)
