"""SQLite files that are written through: a killed region loses nothing it has answered."""

from __future__ import annotations

import sqlite3
from pathlib import Path


def opened(file: Path, schema: str) -> sqlite3.Connection:
    """The database in ``file``, made when it is not there. Who shares it among threads has a lock of their own."""
    file.parent.mkdir(parents=True, exist_ok=True)
    base = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
    base.execute("pragma journal_mode = wal")
    base.execute("pragma synchronous = normal")
    base.executescript(schema)
    return base
