"""A notebook execution at work on the cluster's master node: its process, its output in S3, its end."""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from ... import processes
from ...nodes.node import Node
from ...nodes.waiting import until
from .. import states
from ..beside import Worker
from ..records import Cluster
from ..s3 import S3, S3Error
from ..states import WrongTransition
from .notebooks import NotebookExecution

if TYPE_CHECKING:
    from ..service import EmrService

log = logging.getLogger(__name__)
MARK = "EMRLAB_NOTEBOOK_EXECUTION"  # in the environment of all that an execution starts
PLACE = "mnt/var/lib/notebooks"
LOGS = "var/log/notebooks"
FOREVER = 30 * 24 * 3600  # what EMR allows an execution, in seconds
GRACE = 3.0  # seconds that kernel and Spark have to end by themselves


class NotebookRun(Worker):
    """Runs one execution, which is START_PENDING, on a node of a living cluster."""

    def __init__(self, service: EmrService, record: NotebookExecution, master: Node, s3: S3) -> None:
        super().__init__(record.id)
        self.history, self.record, self.master, self.s3 = service.history, record, master, s3
        self.place = master.path(PLACE, record.id)
        self.lock = threading.Lock()
        self.stopped = False

    def run(self) -> None:
        try:
            self.work()
        except (S3Error, OSError) as error:
            self.fail(str(error))
        except Exception as error:
            log.exception("notebook execution %s", self.record.id)
            self.fail(f"{type(error).__name__}: {error}")

    def work(self) -> None:
        record = self.record
        self.move("STARTING", record.say("is starting"))
        self.place.mkdir(parents=True, exist_ok=True)
        self.s3.download(record.notebook, self.place / "input.ipynb")
        (self.place / "parameters.json").write_text(record.parameters or "{}")
        if record.html:
            (self.place / "html").touch()
        code = self.execute()
        if self.stopped and self.state() == "STOP_PENDING":  # and not only because the region stops
            self.move("STOPPING", record.say("is stopping"))
            self.send()
            self.move("STOPPED", record.say("is stopped"))
        elif code == 0:
            self.move("FINISHING", record.say("is finishing"))
            self.send()
            self.move("FINISHED", record.say("is finished"))
        else:
            self.move("FAILING", record.say("is failing"))
            self.send()
            self.fail(self.cause(code))

    def execute(self) -> int:
        """The exit status of the notebook's process; negative: the signal that ended it."""
        logs = self.master.path(LOGS, self.record.id)
        logs.mkdir(parents=True, exist_ok=True)
        env = {**kernel(self.master, self.place), **self.record.variables, MARK: self.record.id}
        with (logs / "stdout").open("wb") as out, (logs / "stderr").open("wb") as err, self.lock:
            self.stopped = self.stopped or self.state() == "STOP_PENDING"
            if self.stopped:
                return -1
            command = [sys.executable, "-m", f"{__package__}.notebook_process", str(self.place)]
            process = self.master.run(command, env, cwd=self.place, stdout=out, stderr=err)
        running = self.place / "running"
        over = lambda: self.stopped or process.poll() is not None  # noqa: E731
        until(lambda: running.exists() or over(), FOREVER)
        if running.exists():
            self.move("RUNNING", self.record.say("is running"))
        until(over, FOREVER)
        processes.end(self.processes(), GRACE)
        return int(process.wait())

    def processes(self) -> list[psutil.Process]:
        """All that the execution has started and that still lives: a kernel is in no group of its process."""
        found = []
        for one in self.master.processes():
            with contextlib.suppress(psutil.Error, OSError):
                if one.environ().get(MARK) == self.record.id:
                    found.append(one)
        return found

    def state(self) -> str:
        found = self.history.get(NotebookExecution, self.record.id)
        return found.state if found else ""

    def move(self, state: str, reason: str) -> None:
        """Go on, unless a stop has been asked for meanwhile."""
        with contextlib.suppress(WrongTransition), self.history.changing(NotebookExecution, self.record.id) as now:
            now.move(state, reason)

    def fail(self, why: str) -> None:
        self.move("FAILED", self.record.say("has failed", why[:2000]))

    def cause(self, code: int) -> str:
        """Why it failed: what the notebook says, unless the cluster has ended under it."""
        cluster = self.history.get(Cluster, self.record.cluster)
        if cluster is None or cluster.state not in states.OPEN:
            return "The cluster was terminated."
        with contextlib.suppress(OSError):
            return (self.place / "error").read_text()
        return f"The notebook's process ended with {'signal' if code < 0 else 'status'} {abs(code)}."

    def send(self) -> None:
        """The executed copy to S3, as far as it came."""
        file = self.place / ("output.html" if self.record.html else "output.ipynb")
        if not file.is_file():
            return
        self.s3.put(self.record.output, file.read_bytes())
        with self.history.changing(NotebookExecution, self.record.id) as now:
            now.written = True

    def stop(self) -> None:
        """End what was started: the kernel and all it has started too."""
        with self.lock:
            self.stopped = True

    def halt(self) -> None:
        self.stop()


def kernel(node: Node, place: Path) -> dict[str, str]:
    """What Jupyter and PySpark want of their environment on ``node``."""
    found = {
        "JUPYTER_CONFIG_DIR": str(place / ".jupyter"),
        "JUPYTER_DATA_DIR": str(place / ".jupyter" / "data"),
        "JUPYTER_RUNTIME_DIR": str(place / ".jupyter" / "runtime"),
        "IPYTHONDIR": str(place / ".ipython"),
        "JUPYTER_PLATFORM_DIRS": "1",
    }
    if home := node.settings.get("SPARK_HOME"):
        python = Path(home) / "python"
        found["PYTHONPATH"] = ":".join(map(str, [python, *sorted((python / "lib").glob("py4j-*.zip"))]))
    return found
