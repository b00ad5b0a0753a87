"""EC2 in memory: one VPC with six subnets, the last private, another VPC, and security groups."""

from __future__ import annotations

from typing import Any

from emrlab.emr.aws import Unanswered


def rule(port: int | None, *sources: str, protocol: str = "tcp", until: int | None = None) -> dict[str, Any]:
    ports = {} if port is None else {"FromPort": port, "ToPort": port if until is None else until}
    four = [{"CidrIp": one} for one in sources if ":" not in one]
    return {"IpProtocol": protocol, "IpRanges": four, "Ipv6Ranges": [{"CidrIpv6": one} for one in sources if ":" in one]
            } | ports  # fmt: skip


class Network:
    """What ``emrlab.emr.ec2.EC2`` answers."""

    def __init__(self) -> None:
        self.vpcs = {"vpc-1", "vpc-2"}
        self.by_subnet = {f"subnet-{number}": "vpc-1" for number in range(1, 7)} | {"subnet-9": "vpc-2"}
        self.private = {"subnet-6"}
        self.groups: dict[str, list[dict[str, Any]]] = {"sg-1": [], "sg-2": []}
        self.asked = 0

    def vpc(self, vpc_id: str) -> dict[str, Any]:
        if vpc_id not in self.vpcs:
            raise Unanswered(f"The vpc ID '{vpc_id}' does not exist", "InvalidVpcID.NotFound")
        return {"VpcId": vpc_id}

    def subnets(self, ids: list[str]) -> list[dict[str, Any]]:
        for one in ids:
            if one not in self.by_subnet:
                raise Unanswered(f"The subnet ID '{one}' does not exist", "InvalidSubnetID.NotFound")
        return [{"SubnetId": one, "VpcId": self.by_subnet[one]} for one in ids]

    def security_groups(self, ids: list[str]) -> list[dict[str, Any]]:
        self.asked += 1
        for one in ids:
            if one not in self.groups:
                raise Unanswered(f"The security group '{one}' does not exist", "InvalidGroup.NotFound")
        return [{"GroupId": one, "VpcId": "vpc-1", "IpPermissions": self.groups[one]} for one in ids]

    def is_public(self, subnet_id: str) -> bool:
        return subnet_id not in self.private
