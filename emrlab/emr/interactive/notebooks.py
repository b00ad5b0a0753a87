"""Notebook executions as EMR remembers and tells them ("Sample programmatic commands for EMR Notebooks")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ..records import Record
from ..shapes import Shape, moment, tags

ENDING = ("FAILING", "FAILED", "STOP_PENDING")
# See the type ``NotebookExecution`` of the API reference. One that ends before a stop reaches it has ended as it has.
LIFE: Mapping[str, tuple[str, ...]] = {
    "START_PENDING": ("STARTING", *ENDING),
    "STARTING": ("RUNNING", *ENDING),
    "RUNNING": ("FINISHING", *ENDING),
    "FINISHING": ("FINISHED", "FAILING", "FAILED"),
    "FAILING": ("FAILED",),
    "STOP_PENDING": ("STOPPING", "FINISHING", "FAILING", "FAILED"),
    "STOPPING": ("STOPPED", "FAILED"),
    "FINISHED": (),
    "FAILED": (),
    "STOPPED": (),
}
ACTIVE = tuple(state for state, after in LIFE.items() if after)


@dataclass
class NotebookExecution(Record):
    """``notebook``: where it is in S3; ``output``: where its executed copy goes (both ``s3://…``).

    ``told``: parameters of StartNotebookExecution that are only told again. ``written``: whether the output is there.
    """

    LIFE: ClassVar[Mapping[str, tuple[str, ...]]] = LIFE

    account: str
    region: str
    notebook: str
    output: str
    name: str = ""
    editor: str = ""
    parameters: str = ""  # as given: JSON
    variables: dict[str, str] = field(default_factory=dict)
    html: bool = False
    written: bool = False
    told: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        return f"arn:aws:elasticmapreduce:{self.region}:{self.account}:notebook-execution/{self.id}"

    def say(self, what: str, why: str = "") -> str:
        """``LastStateChangeReason`` in EMR's words."""
        return f"Execution {what} for cluster {self.cluster}.{' ' if why else ''}{why}"


def summary(record: NotebookExecution) -> Shape:
    return {
        "NotebookExecutionId": record.id,
        "EditorId": record.editor or None,
        "NotebookExecutionName": record.name or None,
        "Status": record.state,
        "StartTime": moment(record.created),
        "EndTime": moment(record.ended),
        "NotebookS3Location": record.told.get("NotebookS3Location"),
        "ExecutionEngineId": record.cluster,
    }


def execution(record: NotebookExecution) -> Shape:
    told = {name: value for name, value in summary(record).items() if name != "ExecutionEngineId"}
    return {
        **told,
        **record.told,
        "NotebookParams": record.parameters or None,
        "Arn": record.arn,
        "OutputNotebookURI": record.output if record.written else None,
        "LastStateChangeReason": record.reason,
        "OutputNotebookFormat": "HTML" if record.html else None,
        "EnvironmentVariables": record.variables or None,
        "Tags": tags(record.tags),
    }
