"""IAM and STS in memory: EMR's default roles, a profile without a role, and sessions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError


class Identities:
    """What ``emrlab.emr.aws.client`` gives for ``iam`` and ``sts``. ``seconds``: how long its sessions last."""

    def __init__(self) -> None:
        self.roles = {"EMR_DefaultRole", "EMR_EC2_DefaultRole", "EMR_AutoScaling_DefaultRole"}
        self.profiles = {"EMR_EC2_DefaultRole": ["EMR_EC2_DefaultRole"], "empty": []}
        self.distrusting: set[str] = set()
        self.seconds = 3600
        self.sessions: list[str] = []

    def client(self, service: str, endpoint: str, account: str, region: str) -> Identities:
        self.account = account
        return self

    def get_role(self, RoleName: str) -> dict[str, Any]:
        if RoleName not in self.roles:
            raise refusal("NoSuchEntity", f"The role with name {RoleName} cannot be found.")
        return {"Role": self.role(RoleName)}

    def get_instance_profile(self, InstanceProfileName: str) -> dict[str, Any]:
        if InstanceProfileName not in self.profiles:
            raise refusal("NoSuchEntity", f"Instance Profile {InstanceProfileName} cannot be found.")
        arn = f"arn:aws:iam::{self.account}:instance-profile/{InstanceProfileName}"
        roles = [self.role(name) for name in self.profiles[InstanceProfileName]]
        return {"InstanceProfile": {"Arn": arn, "InstanceProfileId": "AIPA0000000000000000", "Roles": roles}}

    def role(self, name: str) -> dict[str, Any]:
        return {"RoleName": name, "Arn": f"arn:aws:iam::{self.account}:role/{name}"}

    def assume_role(self, RoleArn: str, RoleSessionName: str, DurationSeconds: int) -> dict[str, Any]:
        if RoleArn.rpartition("/")[2] in self.distrusting:
            raise refusal("AccessDenied", "not trusted")
        self.sessions.append(f"{RoleArn}/{RoleSessionName}")
        key = f"ASIA{len(self.sessions):016}"
        until = datetime.now(UTC) + timedelta(seconds=min(self.seconds, DurationSeconds))
        told = {"AccessKeyId": key, "SecretAccessKey": "secret", "SessionToken": "token", "Expiration": until}
        return {"Credentials": told}


def refusal(code: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "call")
