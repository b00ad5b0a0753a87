"""HDFS read over HTTP (WebHDFS), as whoever is not on a node can: no JVM needs to start for it."""

from __future__ import annotations

import json
import re
import shutil
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..nodes.waiting import OPENER
from .hadoop_sites import NAMENODE_WEB

SECONDS = 10
NAME = re.compile(r"^(https?://)ip-(\d+)-(\d+)-(\d+)-(\d+)\.[\w.-]+?(?=[:/])")


@dataclass(frozen=True)
class Entry:
    """What a folder of HDFS holds. ``size`` of a file that is being written: what is known of it, often 0."""

    name: str
    size: int
    folder: bool


def listing(address: str, path: str) -> list[Entry]:
    """What is in a folder. ``address``: the NameNode's. Raises ``OSError``."""
    found = asked(address, path, op="LISTSTATUS")["FileStatuses"]["FileStatus"]
    return [Entry(one["pathSuffix"], one["length"], one["type"] == "DIRECTORY") for one in found]


def append(address: str, path: str, file: Path) -> None:
    """Add to ``file`` what the file in HDFS has beyond its length. Raises ``OSError``."""
    offset = file.stat().st_size if file.exists() else 0
    place = asked(address, path, op="OPEN", offset=str(offset), noredirect="true")["Location"]
    with OPENER.open(reachable(place), timeout=SECONDS) as answer, file.open("ab") as out:
        shutil.copyfileobj(answer, out, 2**20)


def reachable(url: str) -> str:
    """A node's private name as its address: outside the nodes nobody resolves it."""
    return NAME.sub(r"\1\2.\3.\4.\5", url)


def asked(address: str, path: str, **query: str) -> Any:
    """What the NameNode answers as JSON. Raises ``OSError``."""
    text = urllib.parse.urlencode({**query, "user.name": "hadoop"})
    url = f"http://{address}:{NAMENODE_WEB}/webhdfs/v1{urllib.parse.quote(path)}?{text}"
    with OPENER.open(urllib.request.Request(url), timeout=SECONDS) as answer:
        return json.loads(answer.read())
