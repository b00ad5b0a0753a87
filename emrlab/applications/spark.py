"""Spark on YARN: client and cluster mode, event logs in HDFS, the history server when it is asked for."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from ..nodes import jvm
from ..nodes.archives import Archive
from ..nodes.node import Daemon, Node
from ..nodes.waiting import listening
from . import commands, files, hadoop, java, s3
from .application import Application, Capacity, Member, Say, Settings, Site
from .classpath import HADOOP, LOCKS, S3
from .spark_connect import CONNECT
from .spark_home import SHUFFLE, SPARK, spark_home, spark_jars, spark_shuffle_classpath, spark_version

CONF = "etc/spark/conf"
EVENTS = "hdfs:///var/log/spark/apps"
WAREHOUSE = "/user/spark/warehouse"  # where EMR has it
HISTORY_WEB = 18080
# Of each executor's share of YARN's memory EMR leaves this much over the heap ("Configure Spark": the overhead factor).
OVERHEAD = 0.1875
AM_MB = 1024
LOG4J2 = """\
rootLogger.level = warn
rootLogger.appenderRef.stdout.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{yy/MM/dd HH:mm:ss} %p %c{1}: %m%n%ex
logger.yarn.name = org.apache.spark.deploy.yarn
logger.yarn.level = info
logger.scheduler.name = org.apache.spark.scheduler.DAGScheduler
logger.scheduler.level = info
logger.context.name = org.apache.spark.SparkContext
logger.context.level = info
logger.native.name = org.apache.hadoop.util.NativeCodeLoader
logger.native.level = error
"""


class Spark(Application):
    name = "Spark"
    version = spark_version()
    locks = (SPARK, SHUFFLE, S3, HADOOP)
    needs = ("Hadoop",)
    extras = (CONNECT,)
    classifications = frozenset(("spark", "spark-defaults", "spark-env", "spark-log4j2"))

    def prepare(self, say: Say | None = None) -> None:
        shuffle()

    def archives(self) -> Sequence[Archive]:
        return (archive(),)

    def additions(self, site: Site) -> Settings:
        """Spark's external shuffle service, which runs inside the NodeManagers."""
        name = "yarn.nodemanager.aux-services"
        return {
            "yarn-site": {
                name: "mapreduce_shuffle,spark_shuffle",
                f"{name}.spark_shuffle.class": "org.apache.spark.network.yarn.YarnShuffleService",
                f"{name}.spark_shuffle.classpath": ":".join(map(str, shuffle())),
            }
        }

    def install(self, site: Site, member: Member) -> None:
        node = member.node
        named = member.of("spark-defaults")
        whole = member.of("spark").get("maximizeResourceAllocation", "").lower() == "true"
        defaults = {**spark_defaults(site), **(maximized(site, named) if whole else {}), **named}
        lines = (f"{name} {files.plain(value)}\n" for name, value in defaults.items())
        node.write(f"{CONF}/spark-defaults.conf", "".join(lines))
        changed = "".join(f"{name} = {value}\n" for name, value in member.of("spark-log4j2").items())
        node.write(f"{CONF}/log4j2.properties", LOG4J2 + changed)
        node.write(f"{CONF}/spark-env.sh", files.exports(member.exports("spark-env")))
        hadoop.link(node, "usr/lib/spark", home())
        java.install(node, hadoop.archive(), archive(), home())
        commands.spark(node, home())
        node.settings |= {
            "SPARK_HOME": str(home()),
            "SPARK_CONF_DIR": str(node.path(CONF)),
            "SPARK_LOCAL_IP": node.address,
            "SPARK_LOCAL_HOSTNAME": node.name,
            "SPARK_LOCAL_DIRS": str(node.path("mnt", "spark")),
            "PYSPARK_PYTHON": str(node.path("usr", "bin", "python3")),
            # Every node has them already: nothing to upload for each job.
            "PYSPARK_ARCHIVES_PATH": ",".join(f"local:{file}" for file in python_archives(home())),
        }
        node.settings |= files.expanded(member.exports("spark-env"), node.environment)
        for folder in ("var/log/spark", "mnt/spark"):
            node.path(folder).mkdir(parents=True, exist_ok=True)

    def settle(self, site: Site) -> None:
        for path in ("/var/log/spark/apps", WAREHOUSE):
            hadoop.make_folder(site, path, "1777")


@functools.cache
def home() -> Path:
    return spark_home()


def python_archives(home: Path) -> list[Path]:
    """pyspark and py4j, as Python's path of drivers and workers wants them."""
    return sorted((home / "python" / "lib").glob("*.zip"), reverse=True)


@functools.cache
def shuffle() -> tuple[Path, ...]:
    return tuple(spark_shuffle_classpath(home()))


def archive() -> Archive:
    return Archive("spark", spark_jars(home()), LOCKS / "spark.classes.gz")


def executors(capacity: Capacity) -> tuple[int, int]:
    """An executor's cores and heap (MiB) on nodes of this size, as EMR sets them for its instance types.

    Up to four cores each; what YARN has, less one application master, shared out; less the overhead.
    """
    cores = min(4, capacity.vcpu)
    return cores, heap((capacity.yarn_mb - AM_MB) / max(1, capacity.vcpu // cores))


def maximized(site: Site, named: Mapping[str, str]) -> dict[str, object]:
    """``maximizeResourceAllocation`` of the classification ``spark``: an executor is all of a core node.

    "Configure Spark" says which properties it sets; ``spark.executor.instances`` stays unset where ``named``
    properties ask for dynamic allocation themselves.
    """
    workers = [one.capacity for one in site.members if site.runs(one, "CORE", "TASK")]
    work = min(workers, key=lambda one: one.yarn_mb)
    # The driver may run on the master node or on a core node: it must fit both.
    smaller = min(site.master.capacity, work, key=lambda one: one.yarn_mb)
    found: dict[str, object] = {
        "spark.executor.cores": work.vcpu,
        "spark.executor.memory": f"{heap(work.yarn_mb - AM_MB)}M",
        "spark.driver.memory": f"{heap(smaller.yarn_mb - AM_MB)}M",
        "spark.default.parallelism": 2 * sum(one.vcpu for one in workers),
    }
    if named.get("spark.dynamicAllocation.enabled") != "true":
        found["spark.executor.instances"] = len(workers)
    return found


def heap(share_mb: float) -> int:
    """The heap (MiB) of an executor that takes ``share_mb`` of YARN's memory with its overhead."""
    return max(512, math.ceil(share_mb / (1 + OVERHEAD)))


def spark_defaults(site: Site) -> dict[str, object]:
    work = site.workers[0].capacity
    cores, memory = executors(work)
    master = site.master.node
    return {
        "spark.master": "yarn",
        "spark.submit.deployMode": "client",
        "spark.driver.memory": "2048M",
        "spark.executor.memory": f"{memory}M",
        "spark.executor.cores": cores,
        "spark.yarn.executor.memoryOverheadFactor": OVERHEAD,
        "spark.executor.memoryOverheadFactor": OVERHEAD,
        "spark.dynamicAllocation.enabled": True,
        "spark.shuffle.service.enabled": True,
        # A lab's executors should come and go while somebody watches.
        "spark.dynamicAllocation.initialExecutors": 1,
        "spark.yarn.jars": f"local:{home()}/jars/*",
        "spark.yarn.am.waitTime": "30s",
        "spark.yarn.report.interval": "200ms",
        "spark.yarn.historyServer.address": f"{master.name}:{HISTORY_WEB}",
        "spark.history.fs.logDirectory": EVENTS,
        "spark.sql.warehouse.dir": f"hdfs://{WAREHOUSE}",
        "spark.eventLog.enabled": True,
        "spark.eventLog.dir": EVENTS,
        "spark.ui.showConsoleProgress": False,
        # Real heaps are small (see java.py); of what Spark keeps for itself, as much as it needs.
        "spark.testing.reservedMemory": 64 * 2**20,
        "spark.hadoop.yarn.timeline-service.enabled": False,
        "spark.sql.sources.commitProtocolClass": "org.apache.spark.internal.io.cloud.PathOutputCommitProtocol",
        "spark.sql.parquet.output.committer.class": (
            "org.apache.spark.internal.io.cloud.BindingParquetOutputCommitter"
        ),
        "spark.driver.extraJavaOptions": "-Dfile.encoding=UTF-8",
        "spark.executorEnv.PYTHONHASHSEED": "0",
        **{f"spark.hadoop.{name}": value for name, value in s3.committers().items()},
    }


def history_server(node: Node, events: str = EVENTS) -> Daemon:
    """Spark's history server, for a master node, or for any other over the event logs in ``events``."""
    flags = ["-Dproc_sparkhistoryserver", f"-Dspark.history.fs.logDirectory={events}"]
    flags.append("-Dspark.history.fs.update.interval=2s")  # who asks for it has just seen a job end
    places = [*spark_jars(home()), node.path(CONF), node.path("etc", "hadoop", "conf")]
    main = "org.apache.spark.deploy.history.HistoryServer"
    return Daemon(
        "spark-history-server",
        jvm.daemon(node, main, 256, places, archive(), flags),
        f"spark/spark-history-server-{node.name.partition('.')[0]}.log",
        partial(listening, node.address, HISTORY_WEB),
        needed=False,
    )
