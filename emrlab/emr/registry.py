"""Operations by name. One more is one more function with ``@operation("Name")`` in a module of ``operations``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..context import RequestContext
from . import errors
from .records import Cluster

if TYPE_CHECKING:
    from .service import EmrService


@dataclass(frozen=True)
class Call:
    """One request: the service it is made to, who makes it."""

    service: EmrService
    context: RequestContext

    def cluster(self, cluster_id: str) -> Cluster:
        """The caller's cluster. Raises for one that is not there, or another account's or region's."""
        found = self.service.history.get(Cluster, cluster_id)
        if found is None or not self.owns(found):
            raise errors.no_cluster(cluster_id)
        return found

    def job_flow(self, cluster_id: str) -> Cluster:
        """The same for the older operations, whose error is another."""
        found = self.service.history.get(Cluster, cluster_id)
        if found is None or not self.owns(found):
            raise errors.no_job_flow()
        return found

    def owns(self, record: Any) -> bool:
        """Whether a record that has an account and a region is the caller's."""
        return (record.account, record.region) == (self.context.account, self.context.region)


Operation = Callable[[Call, dict[str, Any]], dict[str, Any] | None]
OPERATIONS: dict[str, Operation] = {}


def operation(name: str) -> Callable[[Operation], Operation]:
    def register(function: Operation) -> Operation:
        OPERATIONS[name] = function
        return function

    return register


def perform(call: Call, name: str, params: dict[str, Any]) -> dict[str, Any]:
    """The operation's answer. Raises ``AwsError``; for an operation that is not built, one that says so."""
    found = OPERATIONS.get(name)
    if found is None:
        raise errors.not_built(f"The operation {name}")
    return found(call, params) or {}
