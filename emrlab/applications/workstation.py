"""A learner's own place beside the clusters: Spark in one process, with ``s3://`` and the lab's quick Java.

It is a node without daemons: a folder with configuration and commands, and an environment that says where they are.
"""

from __future__ import annotations

from pathlib import Path

from ..nodes.node import Node
from .application import Capacity, Member, Site
from .launch import install
from .spark import Spark

LOOPBACK = "127.0.0.1"
# What YARN would be told of this machine; nothing runs on YARN here.
CAPACITY = Capacity(2, 4096, 2048, 256, 2048, 512, 512, 512, 409, 409)
DEFAULTS = {
    "spark.master": "local[*]",
    "spark.eventLog.enabled": "false",
    "spark.dynamicAllocation.enabled": "false",
    "spark.shuffle.service.enabled": "false",
    "spark.yarn.jars": "",
    "spark.driver.memory": "1g",
    "spark.ui.enabled": "false",
}


def workstation(
    folder: Path,
    owner: str,
    endpoint: str,
    region: str,
    keys: tuple[str, str],
    address: str = LOOPBACK,
    name: str = "localhost",
) -> Node:
    """Make it in ``folder``, or make it anew. Everything it needs must have been prepared. Raises ``LabError``."""
    from . import resolve

    node = Node(folder, address, name, owner)
    spark = {**DEFAULTS, "spark.sql.warehouse.dir": f"file://{node.path('mnt', 'warehouse')}"}
    settings = {"spark-defaults": spark, "core-site": {"fs.defaultFS": "file:///"}}
    site = Site([Member(node, "MASTER", CAPACITY, settings)], (Spark.name,), endpoint, region, keys)
    install(resolve(site.applications), site, site.master)
    return node
