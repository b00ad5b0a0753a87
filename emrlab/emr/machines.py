"""A cluster's instances as nodes of this machine, and the site that applications see."""

from __future__ import annotations

import json
from collections.abc import Iterable

from ..applications import commands
from ..applications.application import Member, Role, Site, merged
from ..home import Home
from ..nodes.addresses import Range, claim, private_name
from ..nodes.node import Node
from . import ids
from .instance_types import all_types
from .records import Cluster, Group, Instance
from .s3 import SECRET

INFO = "mnt/var/lib/info"


class Machines:
    """``members`` by EC2 instance id. Address range and folders are claimed by ``make`` and given back by ``end``."""

    def __init__(self, home: Home, cluster: Cluster, endpoint: str) -> None:
        self.home = home
        self.cluster = cluster
        self.endpoint = endpoint
        self.range: Range | None = None
        self.site = Site([], tuple(cluster.applications), endpoint, cluster.region, (cluster.account, SECRET))

    def make(self, group: Group) -> list[Instance]:
        """The group's instances, PROVISIONING: folders, addresses, names. Raises ``LabError``, ``OSError``."""
        self.range = self.range or claim(self.cluster.id)
        made = []
        for _ in range(group.requested):
            address = self.range.take()
            instance = Instance(
                id=ids.made("ci"),
                cluster=self.cluster.id,
                state="PROVISIONING",
                group=group.id,
                ec2=ids.instance(),
                instance_type=group.instance_type,
                market=group.market,
                address=address,
                name=private_name(address),
            )
            self.add(group, instance)
            made.append(instance)
        return made

    def add(self, group: Group, instance: Instance) -> None:
        folder = self.home.clusters / self.cluster.id / instance.ec2
        node = Node(folder, instance.address, instance.name, self.home.mark)
        node.make()
        key, secret = self.site.keys
        node.settings |= {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, "EMR_CLUSTER_ID": self.cluster.id}
        commands.system(node)
        role: Role = group.role  # type: ignore[assignment]  # the model knows no other
        settings = merged(group.configurations, merged(self.cluster.configurations))
        self.site.members.append(Member(node, role, all_types()[instance.instance_type].capacity, settings))
        info = {
            "isMaster": role == "MASTER",
            "isRunningNameNode": role == "MASTER",
            "isRunningDataNode": role == "CORE",
            "isRunningResourceManager": role == "MASTER",
            "isRunningNodeManager": role != "MASTER",
            "instanceGroupId": group.id,
        }
        node.write(f"{INFO}/instance.json", json.dumps(info, indent=1) + "\n")
        node.write(f"{INFO}/job-flow.json", json.dumps({"jobFlowId": self.cluster.id}, indent=1) + "\n")
        node.write_environment()

    @property
    def nodes(self) -> list[Node]:
        return [member.node for member in self.site.members]

    @property
    def master(self) -> Node:
        return self.site.master.node

    def node(self, instance: Instance) -> Node:
        return next(node for node in self.nodes if node.folder.name == instance.ec2)

    def end(self) -> None:
        """Give the address range back. The nodes are stopped by then."""
        if self.range:
            self.range.release()
            self.range = None


def dead(nodes: Iterable[Node]) -> list[Node]:
    """Nodes that had daemons of which none runs any more: machines that are gone."""
    return [node for node in nodes if node.daemons and all(node.ended(name) is not None for name in node.daemons)]
