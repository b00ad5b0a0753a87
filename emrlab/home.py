"""Where emrlab writes: one home folder, one cache folder, nothing else."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import platformdirs


@dataclass(frozen=True)
class Home:
    """The folder that holds a region and everything it owns (``EMRLAB_HOME``)."""

    root: Path

    @property
    def region(self) -> Path:
        """The region's own state: ``region.json``, lock, log, emulated services, EMR's history."""
        return self.root / "region"

    @property
    def clusters(self) -> Path:
        """One folder per cluster, and in it one per instance."""
        return self.root / "clusters"

    @property
    def progress(self) -> Path:
        """What a learner has solved."""
        return self.root / "progress"

    @property
    def mark(self) -> str:
        """What every process of this home carries in its environment as ``EMRLAB_OWNER``."""
        return hashlib.sha256(str(self.root).encode()).hexdigest()[:16]


def home() -> Home:
    """The home in force: ``EMRLAB_HOME``, else ``emrlab`` in the user's data folder."""
    root = os.environ.get("EMRLAB_HOME") or platformdirs.user_data_dir("emrlab", appauthor=False)
    return Home(Path(root).expanduser().resolve())


def cache() -> Path:
    """Downloads and what is made from them: ``EMRLAB_CACHE``, else ``emrlab`` in the user's cache folder."""
    root = os.environ.get("EMRLAB_CACHE") or platformdirs.user_cache_dir("emrlab", appauthor=False)
    return Path(root).expanduser().resolve()
