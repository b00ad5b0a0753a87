"""What an instance's metadata tell: the categories of "Instance metadata categories", as far as they are true here.

What a node has not is not told: an AMI that EMR chose, network interfaces, user data.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ..records import Cluster, Instance
from .roles import Profile, Session

Tree = dict[str, "str | Tree"]
ARCHITECTURES = {"aarch64": "arm64", "AMD64": "x86_64"}


def stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def tree(cluster: Cluster, instance: Instance, profile: Profile | None) -> Tree:
    """Everything below ``latest``. Credentials are told by name alone: they are made when they are asked for."""
    found: Tree = {"meta-data": data(cluster, instance)}
    meta = found["meta-data"]
    assert isinstance(meta, dict)
    if profile:
        meta["iam"] = {
            "info": told(
                Code="Success",
                LastUpdated=stamp(instance.created),
                InstanceProfileArn=profile.arn,
                InstanceProfileId=profile.id,
            ),
            "security-credentials": {profile.role: ""},
        }
    if instance.notice is not None:
        when = stamp(instance.notice)
        meta["spot"] = {"instance-action": json.dumps({"action": "terminate", "time": when}), "termination-time": when}
    found["dynamic"] = {"instance-identity": {"document": document(cluster, instance)}}
    return found


def data(cluster: Cluster, instance: Instance) -> Tree:
    found: Tree = {
        "hostname": instance.name,
        "instance-action": "none",
        "instance-id": instance.ec2,
        "instance-life-cycle": "spot" if instance.market == "SPOT" else "on-demand",
        "instance-type": instance.instance_type,
        "local-hostname": instance.name,
        "local-ipv4": instance.address,
        "placement": {"availability-zone": zone(cluster), "region": cluster.region},
        # As ListInstances tells them: a name outside would be known to nobody.
        "public-hostname": instance.address,
        "public-ipv4": instance.address,
        "services": {"domain": "amazonaws.com", "partition": "aws"},
    }
    if ami := cluster.settings.get("CustomAmiId"):
        found["ami-id"] = ami
    tags = {name: value for name, value in cluster.tags.items() if "/" not in name and " " not in name}
    tags |= {
        "aws:elasticmapreduce:job-flow-id": cluster.id,
        "aws:elasticmapreduce:instance-group-role": instance.role,
    }
    found["tags"] = {"instance": dict(tags)}
    return found


def document(cluster: Cluster, instance: Instance) -> str:
    """As "Instance identity documents" shows it; nobody signs it here."""
    machine = platform.machine()
    found = {
        "accountId": cluster.account,
        "architecture": ARCHITECTURES.get(machine, machine),
        "availabilityZone": zone(cluster),
        "billingProducts": None,
        "devpayProductCodes": None,
        "marketplaceProductCodes": None,
        "imageId": cluster.settings.get("CustomAmiId"),
        "instanceId": instance.ec2,
        "instanceType": instance.instance_type,
        "kernelId": None,
        "pendingTime": stamp(instance.created),
        "privateIp": instance.address,
        "ramdiskId": None,
        "region": cluster.region,
        "version": "2017-09-30",
    }
    return json.dumps(found, indent=2)


def credentials(session: Session) -> str:
    """The document ``iam/security-credentials/<role>``."""
    return told(
        Code="Success",
        LastUpdated=stamp(session.began),
        Type="AWS-HMAC",
        AccessKeyId=session.access_key,
        SecretAccessKey=session.secret,
        Token=session.token,
        Expiration=stamp(session.expires.timestamp()),
    )


def zone(cluster: Cluster) -> str:
    return str(cluster.ec2.get("Ec2AvailabilityZone") or f"{cluster.region}a")


def told(**members: Any) -> str:
    return json.dumps(members, indent=2)


def listing(tree: Mapping[str, Any]) -> str:
    """A folder of the tree, as a GET of it lists: folders end in a slash."""
    return "\n".join(f"{name}/" if isinstance(tree[name], dict) else name for name in sorted(tree))
