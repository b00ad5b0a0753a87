"""A node's JAVA_HOME: the lab's Java behind a wrapper that makes every JVM of a job fit for a lab."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from ..nodes import jvm
from ..nodes.archives import Archive
from ..nodes.jre import java, java_home
from ..nodes.node import Node
from ..profile import profile

PLACE = "usr/lib/jvm"
TEMPLATE = Path(__file__).with_name("java.sh")


def install(node: Node, hadoop: Archive, spark: Archive | None = None, spark_home: Path | None = None) -> None:
    """Put JAVA_HOME on ``node``, and name it in its settings. ``spark``: the archive of its Spark's jars, if any."""
    home = java_home()
    place = node.path(PLACE)
    (place / "bin").mkdir(parents=True, exist_ok=True)
    for entry in (*home.iterdir(), *(home / "bin").iterdir()):
        link = place / entry.relative_to(home)
        if entry.name in ("bin", "java") or link.exists():
            continue
        link.symlink_to(entry)
    values = {
        "JAVA": shlex.quote(str(java())),
        "NODE": shlex.quote(str(node.folder)),
        "ADDRESS": node.address,
        "HEAP": str(profile().heap_mb),
        "HADOOP_JARS": joined(hadoop),
        "SPARK_JARS": joined(spark),
        "SPARK_HOME": shlex.quote(str(spark_home or "/nowhere")),
        "HADOOP_SHARING": jvm.sharing(hadoop),
        "SPARK_SHARING": jvm.sharing(spark) if spark else "",
        "ON_NODE": " ".join((*jvm.ALWAYS, *jvm.OPTIONS)),
    }
    script = TEMPLATE.read_text()
    for name, value in values.items():
        script = script.replace(f"@{name}@", value)
    node.write(f"{PLACE}/bin/java", script, executable=True)
    node.settings["JAVA_HOME"] = str(place)


def joined(archive: Archive | None) -> str:
    return shlex.quote(os.pathsep.join(map(str, archive.classpath))) if archive else "''"
