"""Hadoop's configuration on one node: EMR's figures where EMR sets them, a lab's patience elsewhere."""

from __future__ import annotations

import platform

from . import files, s3
from .application import Member, Site
from .files import CONF

# Ports as on EMR: "View web interfaces hosted on Amazon EMR clusters", "Configure Hadoop".
NAMENODE, NAMENODE_WEB = 8020, 9870
RESOURCEMANAGER_WEB, HISTORY, HISTORY_WEB = 8088, 10020, 19888
SUPERGROUP = "hdfsadmingroup"
APP_LOGS = "/var/log/hadoop-yarn/apps"
# What containers take over from their NodeManager: first of all whose they are.
PASSED = (
    "EMRLAB_OWNER,EMRLAB_NODE,EMRLAB_NODE_IP,EMRLAB_NODE_NAME,"
    "JAVA_HOME,HADOOP_CONF_DIR,SPARK_HOME,PATH,LANG,TZ,TMPDIR,MALLOC_ARENA_MAX,"
    # AWS clients in a container are those of its node.
    "AWS_ENDPOINT_URL,AWS_REGION,AWS_DEFAULT_REGION,AWS_CONFIG_FILE,AWS_SHARED_CREDENTIALS_FILE,"
    "AWS_ACCESS_KEY_ID,AWS_SECRET_ACCESS_KEY,AWS_EC2_METADATA_SERVICE_ENDPOINT,AWS_EC2_METADATA_DISABLED"
)
# The wrapper of java puts the jars of Hadoop in place of the last one (see java.py).
CONTAINERS_PATH = "$HADOOP_CONF_DIR,$EMRLAB_NODE/usr/lib/hadoop/*"


def replication(core_nodes: int) -> int:
    """EMR's default, "HDFS configuration": 3 from 10 core nodes, 2 from 4 to 9, else 1."""
    return 3 if core_nodes >= 10 else 2 if core_nodes >= 4 else 1


def write(site: Site, member: Member) -> None:
    """All of Hadoop's files on ``member``."""
    node = member.node
    hosts(site, member)
    for name, own in (
        ("core-site", core_site(site, member)),
        ("hdfs-site", hdfs_site(site, member)),
        ("yarn-site", yarn_site(site, member)),
        ("mapred-site", mapred_site(site, member)),
        ("capacity-scheduler", capacity_scheduler()),
    ):
        files.site_xml(node, f"{name}.xml", {**own, **site.additions.get(name, {}), **member.of(name)})
    node.write(f"{CONF}/log4j.properties", files.log4j("INFO", member.of("hadoop-log4j")))
    shell = "".join(
        files.exports(member.exports(name)) for name in ("hadoop-env", "hdfs-env", "yarn-env", "mapred-env")
    )
    node.write(f"{CONF}/hadoop-env.sh", shell)
    for name, content in (("dfs.exclude", ""), ("yarn.exclude.xml", "<hosts></hosts>\n")):
        if not node.path(CONF, name).exists():
            node.write(f"{CONF}/{name}", content)


def hosts(site: Site, member: Member) -> None:
    """The names that JVMs of ``member`` know; they look again at each question."""
    node = member.node
    names = "".join(f"{one.node.address} {one.node.name}\n" for one in site.members)
    # A JVM that asks for this machine's name means its node. MapReduce's application master asks when it wants to tell
    # where the history server is, since that one's address is a loopback address: it means the master node (java.sh).
    for file, meant in (("etc/hosts", node), ("etc/hosts.history", site.master.node)):
        node.write(file, f"127.0.0.1 localhost\n{names}{meant.address} {platform.node()}\n")


def core_site(site: Site, member: Member) -> dict[str, object]:
    return {
        "fs.defaultFS": f"hdfs://{site.master.node.name}:{NAMENODE}",
        "hadoop.tmp.dir": member.node.path("mnt", "tmp", "hadoop"),
        "hadoop.http.staticuser.user": "hadoop",
        "hadoop.user.group.static.mapping.overrides": "hadoop=hadoop,hdfsadmingroup;hdfs=hdfs,hdfsadmingroup;dr.who=",
        "hadoop.proxyuser.hadoop.hosts": "*",
        "hadoop.proxyuser.hadoop.groups": "*",
        "hadoop.rpc.socket.factory.class.default": "lab.NodeSocketFactory",
        "ipc.client.connect.retry.interval": 100,
        "ipc.client.connect.max.retries": 200,
        "ipc.server.read.threadpool.size": 1,
        "hadoop.http.max.threads": 12,
        "hadoop.prometheus.endpoint.enabled": True,
        **s3.core_site(site),
    }


def hdfs_site(site: Site, member: Member) -> dict[str, object]:
    node, master = member.node, site.master.node
    conf = master.path(CONF)
    return {
        "dfs.namenode.name.dir": f"file://{master.path('mnt', 'namenode')}",
        "dfs.datanode.data.dir": f"file://{node.path('mnt', 'hdfs')}",
        "dfs.namenode.rpc-address": f"{master.name}:{NAMENODE}",
        "dfs.namenode.http-address": f"{master.name}:{NAMENODE_WEB}",
        "dfs.datanode.address": f"{node.address}:9866",
        "dfs.datanode.http.address": f"{node.address}:9864",
        "dfs.datanode.ipc.address": f"{node.address}:9867",
        "dfs.datanode.hostname": node.name,
        "dfs.namenode.datanode.registration.ip-hostname-check": False,
        "dfs.hosts.exclude": conf / "dfs.exclude",
        "dfs.replication": replication(site.launched or len(site.workers)),
        "dfs.permissions.superusergroup": SUPERGROUP,
        "dfs.webhdfs.enabled": True,
        # A node that died is noticed within seconds: a lab cannot wait ten minutes.
        "dfs.heartbeat.interval": 1,
        "dfs.namenode.heartbeat.recheck-interval": 500,
        "dfs.namenode.stale.datanode.interval": 3000,
        "dfs.namenode.redundancy.interval.seconds": "1s",
        "dfs.namenode.decommission.interval": "1s",
        "dfs.namenode.safemode.extension": 0,
        "dfs.namenode.replication.max-streams": 20,
        "dfs.namenode.replication.max-streams-hard-limit": 40,
        "dfs.client.block.write.replace-datanode-on-failure.best-effort": True,
        "dfs.client.socket-timeout": 20000,
        "dfs.blockreport.initialDelay": 0,
        "dfs.namenode.handler.count": 4,
        "dfs.datanode.handler.count": 2,
        "dfs.block.scanner.volume.bytes.per.second": 0,
        "dfs.datanode.directoryscan.interval": -1,
        "dfs.datanode.cached-dfsused.check.interval.ms": 0,
        "dfs.disk.balancer.enabled": False,
        "dfs.namenode.top.enabled": False,
    }


def yarn_site(site: Site, member: Member) -> dict[str, object]:
    node, master, capacity = member.node, site.master.node, member.capacity
    largest = max(one.capacity.max_mb for one in site.members if site.runs(one, "CORE", "TASK"))
    return {
        "yarn.resourcemanager.hostname": master.name,
        "yarn.resourcemanager.webapp.address": f"{master.name}:{RESOURCEMANAGER_WEB}",
        # Said aloud, because application masters take a loopback address for their own node. EMR has it at 20888.
        "yarn.web-proxy.address": f"{master.name}:{RESOURCEMANAGER_WEB}",
        "yarn.nodemanager.hostname": node.name,
        "yarn.nodemanager.bind-host": node.address,
        "yarn.nodemanager.address": f"{node.name}:8041",
        "yarn.nodemanager.localizer.address": f"{node.name}:8040",
        "yarn.nodemanager.webapp.address": f"{node.name}:8042",
        "yarn.nodemanager.local-dirs": node.path("mnt", "yarn"),
        "yarn.nodemanager.log-dirs": node.path("var", "log", "hadoop-yarn", "containers"),
        "yarn.nodemanager.aux-services": "mapreduce_shuffle",
        "yarn.nodemanager.aux-services.mapreduce_shuffle.class": "org.apache.hadoop.mapred.ShuffleHandler",
        "yarn.nodemanager.env-whitelist": PASSED,
        "yarn.nodemanager.admin-env": (
            f"MALLOC_ARENA_MAX=1,SPARK_LOCAL_IP={node.address},SPARK_LOCAL_HOSTNAME={node.name}"
        ),
        # EMR's "Task configuration" for the instance type, whatever this machine has.
        "yarn.nodemanager.resource.memory-mb": capacity.yarn_mb,
        "yarn.nodemanager.resource.cpu-vcores": capacity.vcpu,
        "yarn.scheduler.minimum-allocation-mb": capacity.min_mb,
        "yarn.scheduler.maximum-allocation-mb": largest,
        "yarn.node-attribute.fs-store.root-dir": f"file://{node.path('mnt', 'yarn-attributes')}",
        "yarn.nodemanager.vmem-check-enabled": False,
        "yarn.nodemanager.pmem-check-enabled": False,
        "yarn.nodemanager.disk-health-checker.max-disk-utilization-per-disk-percentage": "99.5",
        "yarn.nodemanager.container-manager.thread-count": 4,
        "yarn.nodemanager.localizer.client.thread-count": 2,
        "yarn.nodemanager.delete.thread-count": 1,
        # Logs of containers stay long enough to be archived to S3.
        "yarn.nodemanager.delete.debug-delay-sec": 300,
        "yarn.nodemanager.sleep-delay-before-sigkill.ms": 250,
        "yarn.application.classpath": CONTAINERS_PATH,
        "yarn.log-aggregation-enable": True,
        "yarn.nodemanager.remote-app-log-dir": APP_LOGS,
        "yarn.log.server.url": f"http://{master.name}:{HISTORY_WEB}/jobhistory/logs",
        "yarn.resourcemanager.nodes.exclude-path": master.path(CONF) / "yarn.exclude.xml",
        "yarn.resourcemanager.decommissioning-nodes-watcher.poll-interval-secs": 1,
        "yarn.nm.liveness-monitor.expiry-interval-ms": 10000,
        "yarn.am.liveness-monitor.expiry-interval-ms": 20000,
        "yarn.resourcemanager.nodemanagers.heartbeat-interval-ms": 200,
        "yarn.resourcemanager.connect.retry-interval.ms": 200,
        "yarn.client.nodemanager-connect.retry-interval-ms": 500,
        "yarn.client.nodemanager-connect.max-wait-ms": 15000,
        "yarn.resourcemanager.client.thread-count": 8,
        "yarn.resourcemanager.scheduler.client.thread-count": 8,
        "yarn.resourcemanager.resource-tracker.client.thread-count": 4,
        "yarn.resourcemanager.amlauncher.thread-count": 4,
        "yarn.resourcemanager.am.max-attempts": 2,
        "yarn.app.mapreduce.client.completion.pollinterval": 500,
    }


def mapred_site(site: Site, member: Member) -> dict[str, object]:
    master = site.master.node
    # A job's settings are its client's: the workers' figures on every node.
    work = site.workers[0].capacity
    return {
        "mapreduce.framework.name": "yarn",
        "mapreduce.application.classpath": CONTAINERS_PATH,
        "mapreduce.jobhistory.address": f"{master.name}:{HISTORY}",
        "mapreduce.jobhistory.webapp.address": f"{master.name}:{HISTORY_WEB}",
        "mapreduce.jobhistory.admin.address": f"{master.name}:10033",
        "yarn.app.mapreduce.am.staging-dir": "/tmp/hadoop-yarn/staging",
        "yarn.app.mapreduce.am.resource.mb": work.am_mb,
        "yarn.app.mapreduce.am.command-opts": f"-Xmx{work.am_mb * 4 // 5}m",
        "mapreduce.map.memory.mb": work.map_mb,
        "mapreduce.reduce.memory.mb": work.reduce_mb,
        "mapreduce.map.java.opts": f"-Xmx{work.map_heap_mb}m",
        "mapreduce.reduce.java.opts": f"-Xmx{work.reduce_heap_mb}m",
        # The real heaps are small (see java.py): sort in what they hold.
        "mapreduce.task.io.sort.mb": 48,
        "mapreduce.client.submit.file.replication": min(2, site.launched or len(site.workers)),
        "yarn.app.mapreduce.am.scheduler.heartbeat.interval-ms": 250,
        "mapreduce.client.progressmonitor.pollinterval": 500,
        "mapreduce.client.completion.pollinterval": 500,
        **s3.committers(),
    }


def capacity_scheduler() -> dict[str, object]:
    return {
        "yarn.scheduler.capacity.root.queues": "default",
        "yarn.scheduler.capacity.root.default.capacity": 100,
        # YARN on EMR schedules by memory ("Task configuration" counts containers by it).
        "yarn.scheduler.capacity.resource-calculator": (
            "org.apache.hadoop.yarn.util.resource.DefaultResourceCalculator"
        ),
        "yarn.scheduler.capacity.maximum-am-resource-percent": "0.6",
        "yarn.scheduler.capacity.node-locality-delay": 0,
    }
