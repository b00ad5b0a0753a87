"""Block public access: what an account permits, and whether a new cluster's security groups keep to it.

See "Using Amazon EMR block public access". EMR looks when a cluster is launched, and never again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..account import PublicAccess
from ..ec2 import EC2
from ..records import Cluster

if TYPE_CHECKING:
    from ..history import History

Range = tuple[int, int]
DEFAULT: list[dict[str, int]] = [{"MinRange": 22, "MaxRange": 22}]
ALL: Range = (0, 65535)
ANYWHERE = {"0.0.0.0/0", "::/0"}
SINGLE = ("EmrManagedMasterSecurityGroup", "EmrManagedSlaveSecurityGroup", "ServiceAccessSecurityGroup")
LISTS = ("AdditionalMasterSecurityGroups", "AdditionalSlaveSecurityGroups")


def key(account: str, region: str) -> str:
    return f"{account}:{region}:block-public-access"


def violation(history: History, endpoint: str, cluster: Cluster) -> str:
    """Why this cluster may not be launched, in EMR's words; empty when it may. Raises ``Unanswered``."""
    wanted = groups(cluster.ec2)
    if not wanted:
        return ""
    ec2 = EC2(endpoint, cluster.account, cluster.region)
    found = ec2.security_groups(wanted)
    rule = history.get(PublicAccess, key(cluster.account, cluster.region))
    if rule is not None and not rule.blocked:
        return ""
    permitted = merged(rule.ranges if rule is not None else DEFAULT)
    wrong = [one["GroupId"] for one in found if any(not covered(each, permitted) for each in open_ports(one))]
    subnet = cluster.ec2.get("Ec2SubnetId")
    if not wrong or (subnet and not ec2.is_public(subnet)):
        return ""
    ports = ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in permitted)
    return (
        f"The EC2 Security Groups [{', '.join(wrong)}] contain one or more ingress rules to ports other than "
        f"[{ports}] which allow public access."
    )


def groups(attributes: Mapping[str, Any]) -> list[str]:
    """All security groups that ``Ec2InstanceAttributes`` name, each once."""
    named = [attributes[name] for name in SINGLE if attributes.get(name)]
    named += [group for name in LISTS for group in attributes.get(name) or ()]
    return list(dict.fromkeys(named))


def open_ports(group: Mapping[str, Any]) -> list[Range]:
    """The ports of a security group that anyone may reach."""
    found = []
    for rule in group.get("IpPermissions") or ():
        sources = {one.get("CidrIp") for one in rule.get("IpRanges") or ()}
        sources |= {one.get("CidrIpv6") for one in rule.get("Ipv6Ranges") or ()}
        if sources & ANYWHERE:
            everything = rule["IpProtocol"] == "-1" or "FromPort" not in rule
            found.append(ALL if everything else (rule["FromPort"], rule["ToPort"]))
    return found


def merged(ranges: Iterable[Mapping[str, int]]) -> list[Range]:
    """Ranges in order, those that touch as one."""
    found: list[Range] = []
    for low, high in sorted((one["MinRange"], one.get("MaxRange", one["MinRange"])) for one in ranges):
        if found and low <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], high))
        else:
            found.append((low, high))
    return found


def covered(ports: Range, permitted: Iterable[Range]) -> bool:
    return any(low <= ports[0] and ports[1] <= high for low, high in permitted)
