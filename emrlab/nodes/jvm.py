"""Command lines of the JVMs of a node: small, quick to start, on the node's own address and names."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from .archives import FLAGS, Archive
from .jre import java
from .node import Node
from .shim import OPTIONS

STOCK = "EMRLAB_STOCK_JVM"  # benchmarks compare with JVMs as they come
# Serial collector, C1 alone, tight areas: daemons of a lab serve few, and start is what a learner waits for.
SMALL = (
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:CICompilerCount=1",
    "-Xss512k",
    "-XX:ReservedCodeCacheSize=32m",
    "-XX:MaxMetaspaceSize=160m",
    "-XX:CompressedClassSpaceSize=32m",
)
# Hadoop 3.4 on Java 17 needs the first; nodes have IPv4 addresses. Performance data would be files in /tmp, whatever
# java.io.tmpdir says.
ALWAYS = ("--add-opens=java.base/java.lang=ALL-UNNAMED", "-Djava.net.preferIPv4Stack=true", "-XX:-UsePerfData")


def on_node(node: Node) -> list[str]:
    """Flags that put a JVM on ``node``: its hosts file, its address for what it serves and asks from, its folders."""
    return [
        *(*ALWAYS, *OPTIONS),
        f"-Djdk.net.hosts.file={node.path('etc', 'hosts')}",
        f"-Dlab.ip={node.address}",
        f"-Djava.io.tmpdir={node.path('mnt', 'tmp')}",
        # Java takes it from the machine's list of users, not from HOME: ~/.ivy2 and its like belong to the node.
        f"-Duser.home={node.path('home', 'hadoop')}",
    ]


def daemon(
    node: Node,
    main: str,
    heap_mb: int,
    classpath: Sequence[Path],
    archive: Archive,
    extra: Sequence[str] = (),
    arguments: Sequence[str] = (),
) -> list[str]:
    """A daemon's command line. ``extra``: further JVM flags, which win. Folders of ``classpath`` must come last."""
    tuned = () if stock() else ("-Xms16m", *SMALL, *archive.options())
    places = os.pathsep.join(str(path) for path in classpath)
    flags = [*tuned, f"-Xmx{heap_mb}m", *on_node(node), *extra]
    return [str(java()), *flags, "-cp", places, main, *arguments]


def stock() -> bool:
    """Whether JVMs run untuned and without archives, to be compared with."""
    return bool(os.environ.get(STOCK))


def sharing(archive: Archive) -> str:
    """Flags for a shell script that use the archive as soon as it is there."""
    return " ".join([*FLAGS, f"-XX:SharedArchiveFile={archive.path}"])
