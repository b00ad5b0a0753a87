"""The EMR service: its memory, its operations, and one driver per living cluster."""

from __future__ import annotations

import logging
import sqlite3
import threading
from typing import Any

from ..applications import archives, catalogue, missing, prepare
from ..applications.workstation import workstation
from ..clock import Clock
from ..context import Demand, RequestContext
from ..errors import AwsError, LabError
from ..home import Home
from . import operations, recovery
from .access import iam
from .access.metadata import Metadata
from .beside import Beside
from .chores import auto_termination, daemons, health, managed_scaling, metrics, sizes, spot
from .driver import Driver
from .events import Events
from .events.outbox import Publish
from .history import History
from .interactive.links import Links
from .records import Cluster
from .registry import Call, perform
from .s3 import SECRET

__all__ = [
    "EmrService",
    "auto_termination",
    "daemons",
    "health",
    "managed_scaling",
    "metrics",
    "operations",
    "sizes",
    "spot",
]
log = logging.getLogger(__name__)
# A region that stops leaves its warden this long, and some for others.
STOP_SECONDS = 20.0
LOOK_SECONDS = 2.0  # how often it is looked whether the applications have been fetched meanwhile
REGION = "us-east-1"


class EmrService:
    """All of EMR in this region. ``endpoint``: where S3 and the others answer. ``publish``: what takes events."""

    def __init__(self, home: Home, endpoint: str, account: str, publish: Publish | None = None) -> None:
        self.home = home
        self.endpoint = endpoint
        self.account = account
        self.history = History(home.region / "emr.sqlite")
        self.clock = Clock(home)
        self.metadata = Metadata(self)
        self.events = Events(self.history, publish)
        self.drivers: dict[str, Driver] = {}
        self.beside = Beside()
        self.links = Links(endpoint)
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._settled = False

    def start(self) -> None:
        """Look at what an earlier run left: clusters whose processes are gone have ended, and are told so."""
        self.events.start()
        recovery.recover(self)
        if not missing(catalogue()):
            self.settle()
        else:  # somebody may fetch them while the region runs
            threading.Thread(target=self._settle_later, name="settle later", daemon=True).start()

    def stop(self) -> None:
        """End all clusters, their logs archived, and close the memory."""
        self.stopping.set()
        living = list(self.drivers.values())
        for driver in living:
            driver.end("USER_REQUEST", "The region was stopped (emrlab down).")
        for driver in living:
            driver.join(STOP_SECONDS)
        self.beside.stop(STOP_SECONDS)
        self.events.stop()
        self.metadata.stop()
        self.history.close()

    def call(self, operation: str, params: dict[str, Any], context: RequestContext) -> dict[str, Any]:
        """Perform one operation of EMR's API. ``params``: validated against the model. Raises ``AwsError``."""
        try:
            return perform(Call(self, context), operation, params)
        except sqlite3.OperationalError as error:
            log.error("%s failed: %s", operation, error)
            raise AwsError(
                "InternalServerException",
                f"EMR's history cannot be written ({error}). Free some space on the region's disk, then try again.",
                500,
            ) from error

    def demands(self, operation: str, params: dict[str, Any], context: RequestContext) -> list[Demand]:
        """What the caller's policies must allow for ``call`` with the same parameters. Raises ``AwsError``."""
        return iam.demands(Call(self, context), operation, params)

    def user_interface(self, token: str) -> str | None:
        """Where a presigned URL of an application's user interface leads; None when it has expired."""
        return self.links.target(token)

    def launch(self, cluster: Cluster) -> None:
        """Let a driver take over a cluster that is STARTING."""
        driver = Driver(self, cluster.id)
        with self._lock:
            self.drivers[cluster.id] = driver
        driver.start()

    def forget(self, driver: Driver) -> None:
        with self._lock:
            self.drivers.pop(driver.cluster_id, None)

    def wake(self, cluster_id: str) -> None:
        """Tell the cluster's driver that there is something to look at."""
        if driver := self.drivers.get(cluster_id):
            driver.wake()

    def settle(self) -> None:
        """All applications are here: make Spark without a cluster, and class-data archives, behind and once."""
        with self._lock:
            if not self._settled:
                self._settled = True
                threading.Thread(target=self._settle, name="settle", daemon=True).start()

    def _settle_later(self) -> None:
        while not self._settled and not self.stopping.wait(LOOK_SECONDS):
            if not missing(catalogue()):
                self.settle()

    def _settle(self) -> None:
        try:
            prepare(catalogue())
            workstation(self.home.root / "workstation", self.home.mark, self.endpoint, REGION, (self.account, SECRET))
            for archive in archives():
                archive.build()
        except LabError as error:
            log.warning("Spark without a cluster is not ready: %s", error)
