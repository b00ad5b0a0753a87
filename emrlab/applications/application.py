"""What an application file gives, and what it may know of the cluster it is put on."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ..nodes.archives import Archive
from ..nodes.node import Daemon, Node

Role = Literal["MASTER", "CORE", "TASK"]
Settings = dict[str, dict[str, str]]
Say = Callable[[str], object]


@dataclass(frozen=True)
class Capacity:
    """What an instance type offers, MiB: EMR's "Task configuration" gives YARN's and MapReduce's figures."""

    vcpu: int
    memory_mib: int
    yarn_mb: int
    min_mb: int
    max_mb: int
    map_mb: int
    reduce_mb: int
    am_mb: int
    map_heap_mb: int
    reduce_heap_mb: int


@dataclass
class Member:
    """A node and its place in the cluster. ``settings``: classification → properties, the group's over the cluster's.

    See ``merged`` for their shape.
    """

    node: Node
    role: Role
    capacity: Capacity
    settings: Settings = field(default_factory=dict)

    def of(self, classification: str) -> dict[str, str]:
        return self.settings.get(classification, {})

    def exports(self, *classifications: str) -> dict[str, str]:
        """Environment that ``export`` inside ``hadoop-env`` and its like asks for."""
        found: dict[str, str] = {}
        for name in classifications:
            found |= self.settings.get(f"{name}.export", {})
        return found


@dataclass
class Site:
    """A cluster as applications see it. ``endpoint``: of AWS's services.

    ``keys``: (access key, secret); None: each node has its role's, from its instance metadata.
    """

    members: list[Member]
    applications: tuple[str, ...]
    endpoint: str
    region: str
    keys: tuple[str, str] | None
    # What applications add to each other's files, before anybody's Configurations.
    additions: Settings = field(default_factory=dict)
    # Core nodes it was launched with; nodes that come later get the same settings. 0: those it has now.
    launched: int = 0
    # Nodes that are leaving or have left: name → seconds that their work may go on (see hadoop_drain.py).
    excluded: dict[str, int] = field(default_factory=dict)

    @property
    def master(self) -> Member:
        return next(one for one in self.members if one.role == "MASTER")

    @property
    def workers(self) -> list[Member]:
        """Where DataNodes and NodeManagers run: the core nodes, or the master of a cluster of one node."""
        return [one for one in self.members if one.role == "CORE"] or [self.master]

    def runs(self, member: Member, *roles: Role) -> bool:
        """Whether ``member`` has one of ``roles``; the only node of a cluster has all."""
        return member.role in roles or (member.role == "MASTER" and not any(m.role == "CORE" for m in self.members))


class Application(ABC):
    """One application: what it needs, how it is put on a node, which daemons it has there.

    ``classifications``: those of ``Configurations`` it applies. ``needs``: other applications it stands on.
    ``restarts``: classification → daemons that read it when they start.
    """

    name: str
    version: str
    locks: tuple[Path, ...]
    needs: tuple[str, ...] = ()
    classifications: frozenset[str] = frozenset()
    restarts: Mapping[str, tuple[str, ...]] = {}
    # Locks of what clusters start without: it is fetched when somebody first asks for it.
    extras: tuple[Path, ...] = ()

    @abstractmethod
    def prepare(self, say: Say | None = None) -> None:
        """Fetch and make everything that clusters share. Raises ``LabError``."""

    def additions(self, site: Site) -> Settings:
        """What this application adds to files of those it stands on: classification → properties."""
        return {}

    @abstractmethod
    def install(self, site: Site, member: Member) -> None:
        """Configuration and commands on one node."""

    def daemons(self, site: Site, member: Member) -> Iterable[Daemon]:
        """The daemons of one node, in the order they are started."""
        return ()

    def settle(self, site: Site) -> None:  # noqa: B027 (most have nothing left to do)
        """What is left to do when all needed daemons answer. Harmless when done again. Raises ``LabError``."""

    def healthy(self, site: Site) -> bool:
        """Whether all of the cluster's daemons know each other."""
        return True

    def archives(self) -> Sequence[Archive]:
        """Class-data archives of this application's JVMs."""
        return ()


def merged(configurations: Sequence[Mapping[str, object]], over: Settings | None = None) -> Settings:
    """``Configurations`` as EMR takes them, flattened: ``export`` inside ``hadoop-env`` becomes ``hadoop-env.export``.

    Properties of ``configurations`` win over those of ``over``.
    """
    found: Settings = {name: dict(properties) for name, properties in (over or {}).items()}

    def add(items: Sequence[Mapping[str, object]], prefix: str) -> None:
        for item in items:
            name = f"{prefix}{item.get('Classification', '')}"
            properties, nested = item.get("Properties") or {}, item.get("Configurations") or []
            assert isinstance(properties, Mapping)
            assert isinstance(nested, Sequence)
            found.setdefault(name, {}).update({str(key): text(value) for key, value in properties.items()})
            add(nested, f"{name}.")

    add(configurations, "")
    return found


def text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
