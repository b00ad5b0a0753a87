"""A lab that is open in a notebook: its region, bucket, data, cluster, exercises, and the way out."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from ..errors import LabError
from ..home import home
from ..profile import profile
from ..region import control
from ..widgets import watch as watching
from ..widgets.cluster import Cluster, Step
from ..widgets.figure import figure
from ..widgets.live import Live
from ..widgets.page import Page, box, escape
from ..widgets.parameters import Choice, Consequences, Objection, Parameter, Parameters, Several, Whole
from . import data, definition, facts, notebook, spark
from .exercises import Attempt, solving
from .progress import NoProgress, Progress
from .state import LIVE, State


class Lab:
    """``emrlab.lab("1.1")`` makes one. ``bucket``: this lab's in S3. ``state()``: what checks look at."""

    Choice, Whole, Several = Choice, Whole, Several

    def __init__(self, found: definition.Definition, region: control.Region) -> None:
        self.definition = found
        self.region = region
        self.opened = datetime.now(UTC)
        self.progress = NoProgress(home()) if solving() else Progress(home())
        self.bucket = f"emrlab-{found.number.replace('.', '-')}-{region.account}"
        self._parameters: Parameters | None = None
        self._attempts: dict[str, Attempt] = {}

    @classmethod
    def open(cls, number: str) -> Lab:
        """Start or find the region, point this process at it, show the lab's card."""
        found = definition.find(number)
        with Live(keep=False) as screen:
            region = control.status() or control.up(progress=lambda text: screen.show(box("note", text)))
            use(region)
            lab = cls(found, region)
            lab.make_bucket()
        lab.progress.started(number)
        notebook.attach(lab)
        lab.card().show()
        atexit.register(spark.stop)
        return lab

    # AWS

    @cached_property
    def emr(self) -> Any:
        import boto3

        return boto3.client("emr")

    @cached_property
    def s3(self) -> Any:
        import boto3

        return boto3.client("s3")

    def make_bucket(self) -> None:
        names = {one["Name"] for one in self.s3.list_buckets()["Buckets"]}
        if self.bucket not in names:
            self.s3.create_bucket(Bucket=self.bucket)

    def state(self) -> State:
        values = self._parameters.values() if self._parameters else {}
        return State(self.emr, self.s3, self.bucket, values)

    # What the learner sees first

    def card(self) -> Page:
        one = self.definition
        solved = len(self.progress.solved(one.number) & {each.id for each in one.exercises})
        goals = "".join(f"<li>{escape(goal)}</li>" for goal in one.goals)
        count = f"{solved} of {len(one.exercises)} exercises solved"
        times = f"about {one.minutes} minutes · {count} · your bucket: {self.bucket}"
        markup = (
            f"<div class='emr-card'><p class='emr-head'>Lab {escape(one.number)} · {escape(one.title)}</p>"
            f"<p>You will be able to</p><ul>{goals}</ul><p class='emr-quiet'>{escape(times)}</p></div>"
        )
        lines = [f"Lab {one.number}: {one.title}", "You will be able to", *(f"- {goal}" for goal in one.goals), times]
        return Page(markup, "\n".join(lines))

    def __repr__(self) -> str:
        return f"Lab {self.definition.number}: {self.definition.title}"

    def parameters(
        self,
        consequences: Consequences | None = None,
        objection: Objection | None = None,
        **definitions: Parameter,
    ) -> Parameters:
        """A panel of ``lab.Choice``, ``lab.Whole``, ``lab.Several``; read the values as attributes of the answer.

        ``EMRLAB_PARAM_<NAME>`` in the environment sets another value. ``consequences(values)``: facts shown below;
        ``objection(values)``: why these values do not fit each other, or None.
        """
        self._parameters = Parameters(definitions, consequences, objection)
        self._parameters.show()
        return self._parameters

    def consequences(self) -> Consequences:
        """Memory, disk and price that follow from ``core_nodes``, ``master_type``, ``core_type``."""
        return facts.consequences(facts.supported(self.emr))

    def instance_types(self) -> list[str]:
        """Types that EMR supports and whose price is known."""
        known = facts.supported(self.emr)
        return [one for one in facts.priced() if one in known]

    def room_for(self, core_nodes: int) -> int:
        """``core_nodes``, or fewer when this machine has too little memory for them."""
        return max(1, min(core_nodes, profile().core_nodes))

    # Data

    def data(self, name: str) -> data.Flights:
        """Put a data set into the bucket, and say where it lies. There is ``"flights"``."""
        if name != "flights":
            raise LabError(f"There is no data set {name!r}. There is: flights")
        with Live(keep=False) as screen:
            return data.upload(self.s3, self.bucket, lambda text: screen.show(box("note", text)))

    def put(self, *names: str) -> dict[str, str]:
        """Upload files that lie beside the notebook to ``scripts/`` in the bucket; their ``s3://`` paths by name."""
        places = {}
        for file in map(Path, names):
            if not file.is_file():
                raise LabError(
                    f"There is no file {file} here. Run the notebook in its own folder, or restore the file."
                )
            self.s3.upload_file(str(file), self.bucket, f"scripts/{file.name}")
            places[file.name] = f"s3://{self.bucket}/scripts/{file.name}"
        return places

    def empty(self, prefix: str) -> str:
        """Delete what earlier runs left under ``prefix`` in the bucket; its ``s3://`` path.

        Hadoop refuses to write into an output folder that exists.
        """
        for key in self.state().keys(prefix.rstrip("/") + "/"):
            self.s3.delete_object(Bucket=self.bucket, Key=key)
        return f"s3://{self.bucket}/{prefix.rstrip('/')}/"

    def read(self, path: str) -> str:
        """The text of one object of the bucket."""
        return str(self.s3.get_object(Bucket=self.bucket, Key=self.key(path))["Body"].read().decode())

    def rows(self, path: str) -> list[dict[str, Any]]:
        """The rows of the Parquet or text files under an ``s3://`` path of the bucket."""
        rows = self.state().rows(self.key(path))
        if not rows:
            raise LabError(f"There are no rows under {path} yet. Run the step that writes them, then this cell again.")
        return rows

    def key(self, path: str) -> str:
        """The object's name, or the beginning of names, that an ``s3://`` path of the bucket means."""
        key = path.removeprefix(f"s3://{self.bucket}/")
        if "://" in key:
            raise LabError(f"{path} is not in this lab's bucket. Use a path that begins with s3://{self.bucket}/")
        return key

    def figure(self, plot: Any, alt: str) -> Page:
        """A matplotlib figure with words for those who do not see it, readable in both themes."""
        return figure(plot, alt)

    # Clusters

    def cluster(self) -> str:
        """The id of the lab's newest living cluster: also after a kernel's restart. ``LabError`` when there is none."""
        found = self.state().clusters(*LIVE)
        if found:
            return str(found[0]["Id"])
        last = self.state().clusters()
        was = f"Your last cluster, {last[0]['Name']}, is {last[0]['Status']['State']}. " if last else ""
        raise LabError(
            f"{was}From here on the lab needs a running cluster.\n"
            f"Launch one: fill the blanks in the cell of the exercise '{self.definition.exercises[0].id}' and run it. "
            "The buttons under it give hints and the solution. Then run this cell again."
        )

    def watch(self, cluster_id: str, until: str = "WAITING", timeout: float = 1800) -> None:
        """Show the cluster's map until its state is ``until``. ``LabError`` with the reason when it never will be."""
        self.followed(lambda: watching.watch(self.emr, cluster_id, until, timeout))

    def watch_step(self, cluster_id: str, step_id: str, timeout: float = 1800) -> None:
        """Show the cluster's map until the step is COMPLETED. ``LabError`` with the reason when it is not."""
        self.followed(lambda: watching.watch_step(self.emr, cluster_id, step_id, timeout))

    def followed(self, follow: Callable[[], Cluster | Step]) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            follow()
        except ClientError as error:
            message = error.response.get("Error", {}).get("Message", str(error))
            raise LabError(f"EMR says: {message} List the clusters: !aws emr list-clusters") from error
        except BotoCoreError as error:
            raise LabError(f"The region does not answer ({error}). Run the lab's first cell again.") from error

    def spark(self, cluster_id: str | None = None) -> Any:
        """A SparkSession driven from this notebook: on the cluster, or without one in this machine alone."""
        name = f"lab {self.definition.number} in a notebook"
        return spark.session(self.emr, home(), cluster_id, name) if cluster_id else spark.local(home(), name)

    def stop_spark(self) -> None:
        """Stop the notebook's SparkSession and give its memory back."""
        spark.stop()

    # Exercises

    def exercise(self, exercise_id: str) -> Attempt:
        """``.check()``, ``.hint()``, ``.solution()`` of an exercise, without its cell."""
        found = self.definition.exercise(exercise_id)
        return self._attempts.setdefault(exercise_id, Attempt(self, found))

    # The end

    def bill(self, *cluster_ids: str) -> Page:
        """What clusters (default: those that lived since the lab was opened) would have cost on real EMR."""
        wanted = cluster_ids or tuple(one["Id"] for one in self.since_opened())
        return facts.bill([charge for each in wanted for charge in facts.charges(self.emr, each)])

    def since_opened(self) -> list[Mapping[str, Any]]:
        def ended(cluster: Mapping[str, Any]) -> datetime | None:
            end: datetime | None = cluster["Status"].get("Timeline", {}).get("EndDateTime")
            return end

        return [one for one in self.state().clusters() if (ended(one) or self.opened) >= self.opened]

    def close(self) -> None:
        """Terminate the lab's clusters, stop Spark, and show what it would have cost. Twice is harmless."""
        spark.stop()
        living = [str(one["Id"]) for one in self.state().clusters(*LIVE)]
        if living:
            for each in living:  # the lab's end is the learner's wish: protection would only keep the processes
                self.emr.set_termination_protection(JobFlowIds=[each], TerminationProtected=False)
            self.emr.terminate_job_flows(JobFlowIds=living)
            for each in living:
                self.watch(each, until="TERMINATED")
        bill = self.bill()
        solved = len(self.progress.solved(self.definition.number))
        done = "" if solving() else f" Solved: {solved} of {len(self.definition.exercises)} exercises."
        box("good", f"Lab {self.definition.number} is closed: no cluster of it is running.{done}").show()
        bill.show()


def use(region: control.Region) -> None:
    """Point this process's AWS clients, its ``!aws`` and its Python at ``region``."""
    import boto3

    os.environ.update(control.environment(region))
    boto3.DEFAULT_SESSION = None  # one made earlier may have read other settings
    here = str(Path(sys.executable).parent)
    places = os.environ.get("PATH", os.defpath).split(os.pathsep)
    if here not in places:
        os.environ["PATH"] = os.pathsep.join([here, *places])
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
