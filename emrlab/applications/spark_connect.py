"""Spark Connect: a server on YARN that clients of another process talk to. Fetched when it is first asked for."""

from __future__ import annotations

import functools
import hashlib
import tempfile
from collections.abc import Mapping
from pathlib import Path

from ..home import cache
from ..nodes.artifacts import Store, read_lock
from ..nodes.node import Node
from ..nodes.shim import LOCK, compile_java, pack
from .classpath import LOCKS, made

CONNECT = LOCKS / "spark-connect.lock"
GATE = Path(__file__).with_name("SessionGate.java")
MAIN = "org.apache.spark.sql.connect.service.SparkConnectServer"


@functools.cache
def jars() -> tuple[Path, Path]:
    """Spark Connect's jar, and ours with the gate that checks tokens. Raises ``LabError``."""
    (artifact,) = read_lock(CONNECT)
    connect = Store().fetch([artifact], "Spark Connect")[artifact]
    key = hashlib.sha256(artifact.sha256.encode() + GATE.read_bytes()).hexdigest()[:16]
    return connect, made(cache() / f"session-gate-{key}", functools.partial(build, connect)) / "session-gate.jar"


def build(connect: Path, folder: Path) -> None:
    compiler = list(Store().fetch(read_lock(LOCK), "The compiler for the lab's Java classes").values())
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        classes = Path(temporary) / "classes"
        compile_java([GATE], [connect], compiler, classes)
        pack(classes, folder / "session-gate.jar")


def command(node: Node, session: str, place: Path, port: int, settings: Mapping[str, str]) -> list[str]:
    """The server's command line on a master node. ``place``: where it finds its tokens. Raises ``LabError``."""
    ours = {
        "spark.connect.grpc.binding.port": str(port),
        "spark.connect.grpc.interceptor.classes": "lab.SessionGate",
        # Every node has these files already: nothing to upload for each session.
        "spark.jars": ",".join(f"local:{jar}" for jar in jars()),
        "spark.submit.deployMode": "client",
    }
    # Without its native transport the server listens as all JVMs of a node do: on the node's address alone.
    ours_only = f"-Dlab.session.id={session} -Dlab.session.folder={place}"
    java = f"-Dfile.encoding=UTF-8 -Dio.netty.transport.noNative=true {ours_only}"
    own = settings.get("spark.driver.extraJavaOptions", "")
    given = {**settings, **ours, "spark.driver.extraJavaOptions": f"{own} {java}".strip()}
    flags = [word for name, value in given.items() for word in ("--conf", f"{name}={value}")]
    submit = str(node.path("usr", "bin", "spark-submit"))
    return [submit, "--class", MAIN, "--name", f"Spark Connect server {session}", *flags, "spark-internal"]
