"""Spark's history servers, on request: on a cluster's master node, and off the cluster over its kept event logs."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

import psutil

from ...applications import spark
from ...applications.workstation import workstation
from ...errors import LabError
from ...nodes.addresses import Range, claim, private_name
from ...nodes.node import Node, tail
from ...nodes.waiting import fetched, listening
from ..beside import Worker
from ..s3 import SECRET
from . import event_logs

if TYPE_CHECKING:
    from ..records import Cluster
    from ..service import EmrService

log = logging.getLogger(__name__)
PORT = spark.HISTORY_WEB
DAEMON = "spark-history-server"
UNUSED = 2 * 3600.0  # lab seconds after which a server that nobody looks at ends
LOOK = 1.0
MOST = 2  # off-cluster servers at a time: each is a JVM
LOCK = threading.Lock()


def on_cluster(node: Node) -> str:
    """Have the history server on the master node; where it answers, or empty while it does not yet."""
    with LOCK:
        if DAEMON not in node.daemons or node.ended(DAEMON) is not None:
            node.start(spark.history_server(node))
    return base(node.address)


def base(address: str) -> str:
    return f"http://{address}:{PORT}" if listening(address, PORT) else ""


def page(server: str, application: str) -> str:
    """The page of an application, or empty while the server has not read its log."""
    if not application:
        return f"{server}/"
    attempts = fetched(f"{server}/api/v1/applications/{application}").get("attempts")
    if not attempts:
        return ""
    attempt = attempts[0].get("attemptId")  # newest first
    return f"{server}/history/{application}/{f'{attempt}/' if attempt else ''}jobs/"


class OffCluster(Worker):
    """A history server over one cluster's event logs. It ends when nobody has looked at it for a while."""

    def __init__(self, service: EmrService, cluster: Cluster) -> None:
        super().__init__(name(cluster.id))
        self.service, self.cluster = service, cluster
        self.address = ""
        self.error = ""
        self.ending = threading.Event()
        self.used = time.monotonic()

    @property
    def server(self) -> str:
        """Where it answers; empty while it does not."""
        return base(self.address) if self.address else ""

    def run(self) -> None:
        place: Range | None = None
        node: Node | None = None
        try:
            place = claim(self.name)
            address = place.take()
            events = event_logs.folder(self.service.home, self.cluster.id)
            events.mkdir(parents=True, exist_ok=True)
            node = workstation(
                events.parent / "server",
                self.service.home.mark,
                self.service.endpoint,
                self.cluster.region,
                (self.cluster.account, SECRET),
                address,
                private_name(address),
            )
            node.start(spark.history_server(node, f"file://{events}"))
            self.address = address
            self.watch(node)
        except (LabError, OSError) as error:
            log.warning("the history server of %s: %s", self.cluster.id, error)
            self.error = str(error)
        finally:
            if node is not None:
                node.stop()
            if place is not None:
                place.release()

    def watch(self, node: Node) -> None:
        while not self.ending.wait(LOOK):
            if node.ended(DAEMON) is not None:
                logs = node.path("var", "log", "spark").glob("spark-history-server-*")
                self.error = f"It ended: {tail(next(logs))[-500:]}"
                return
            if connected(node.daemons[DAEMON].pid):
                self.used = time.monotonic()
            if time.monotonic() - self.used > self.service.clock.true(UNUSED):
                return

    def halt(self) -> None:
        self.ending.set()


def connected(pid: int) -> bool:
    """Whether somebody is connected to the server."""
    try:
        found = psutil.Process(pid).net_connections("tcp")
    except psutil.Error:
        return False
    return any(one.status == psutil.CONN_ESTABLISHED and one.laddr.port == PORT for one in found)


def name(cluster_id: str) -> str:
    return f"{cluster_id}-persistent-ui"


def off_cluster(service: EmrService, cluster: Cluster) -> OffCluster:
    """The server over this cluster's event logs; started when there is none."""
    with LOCK:
        found = service.beside.get(name(cluster.id))
        if isinstance(found, OffCluster) and not found.ending.is_set():
            found.used = time.monotonic()
            return found
        if found is not None:
            found.join(10)
        others = [one for one in service.beside.living() if isinstance(one, OffCluster)]
        for one in sorted(others, key=lambda other: other.used)[: len(others) - MOST + 1]:
            one.halt()
        made = OffCluster(service, cluster)
        service.beside.start(made)
        return made
