"""EC2 as EMR asks it: what networks there are, and who may reach them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .aws import ask, client


class EC2:
    """The networks of one account in a region. Everything raises ``Unanswered``, also for what is not there."""

    def __init__(self, endpoint: str, account: str, region: str) -> None:
        self.client = client("ec2", endpoint, account, region)

    def vpc(self, vpc_id: str) -> dict[str, Any]:
        found: dict[str, Any] = ask(self.client.describe_vpcs, VpcIds=[vpc_id])["Vpcs"][0]
        return found

    def subnets(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        return list(ask(self.client.describe_subnets, SubnetIds=ids)["Subnets"]) if ids else []

    def security_groups(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        return list(ask(self.client.describe_security_groups, GroupIds=ids)["SecurityGroups"]) if ids else []

    def is_public(self, subnet_id: str) -> bool:
        """Whether a subnet has a way to the internet: a default one has, any other by its route table."""
        (subnet,) = self.subnets([subnet_id])
        if subnet.get("DefaultForAz"):
            return True
        tables = self.tables({"association.subnet-id": subnet_id})
        tables = tables or self.tables({"vpc-id": subnet["VpcId"], "association.main": "true"})
        routes: Iterable[dict[str, Any]] = (route for table in tables for route in table["Routes"])
        return any(route.get("GatewayId", "").startswith("igw-") for route in routes)

    def tables(self, where: dict[str, str]) -> list[dict[str, Any]]:
        filters = [{"Name": name, "Values": [value]} for name, value in where.items()]
        return list(ask(self.client.describe_route_tables, Filters=filters)["RouteTables"])
