"""The roles that clusters are given: looked up in IAM, and assumed for their nodes, as any client would."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ...errors import AwsError
from .. import errors
from ..aws import Unanswered, ask, client

if TYPE_CHECKING:
    from ..records import Cluster

REGION = "us-east-1"  # IAM is global
NAME = re.compile(r"(?:^|(?<=/))[\w+=,.@-]{1,128}$", re.ASCII)  # behind an ARN's or a path's last slash
SESSION_SECONDS = 3600  # what a role allows unless its MaxSessionDuration says more


@dataclass(frozen=True)
class Profile:
    """An instance profile, and the role in it; ``role`` is empty when there is none."""

    arn: str
    id: str
    role: str = ""
    role_arn: str = ""


@dataclass(frozen=True)
class Session:
    """Temporary credentials of a role (its ARN)."""

    role: str
    access_key: str
    secret: str
    token: str
    began: float
    expires: datetime

    @property
    def left(self) -> float:
        """Seconds it will still be good for."""
        return self.expires.timestamp() - time.time()


def profile(endpoint: str, account: str, name: str) -> Profile | None:
    """The instance profile ``name`` (or its ARN); None when IAM has none. Raises ``AwsError`` when it does not say."""
    if not (short := NAME.search(name)):
        return None
    iam = client("iam", endpoint, account, REGION)
    told = found(iam.get_instance_profile, InstanceProfileName=short[0])
    if told is None:
        return None
    one = told["InstanceProfile"]
    role: dict[str, Any] = next(iter(one["Roles"]), {})
    return Profile(one["Arn"], one["InstanceProfileId"], role.get("RoleName", ""), role.get("Arn", ""))


def exists(endpoint: str, account: str, name: str) -> bool:
    """Whether IAM has the role ``name`` (or its ARN). Raises ``AwsError`` when IAM does not say."""
    if not (short := NAME.search(name)):
        return False
    iam = client("iam", endpoint, account, REGION)
    return found(iam.get_role, RoleName=short[0]) is not None


def found(operation: Callable[..., Any], **params: Any) -> dict[str, Any] | None:
    """IAM's answer; None when it has no such thing."""
    try:
        return ask(operation, **params)
    except Unanswered as error:
        if error.code in ("NoSuchEntity", "ValidationError"):
            return None
        raise AwsError("InternalServerException", f"IAM did not say whether the role exists: {error}", 500) from error


def role_arn(account: str, name: str) -> str:
    """The ARN of a role that is named by it, by its name, or by path and name."""
    return name if name.startswith("arn:") else f"arn:aws:iam::{account}:role/{name.lstrip('/')}"


def check_profile(endpoint: str, account: str, name: str) -> None:
    """Refuse a ``JobFlowRole`` that instances cannot have, in EMR's words."""
    found = profile(endpoint, account, name)
    if found is None:
        raise errors.validation(f"Invalid InstanceProfile: {name}.")
    if not found.role:
        raise AwsError("AccessDeniedException", f"Failed to authorize instance profile {found.arn}.")


def refused(cluster: Cluster, endpoint: str) -> str:
    """Why a new cluster's service role will not do; EMR finds out after it has answered RunJobFlow."""
    name = cluster.settings.get("ServiceRole", "")
    if not name or exists(endpoint, cluster.account, name):
        return ""
    return f"EMR service role {role_arn(cluster.account, name)} is invalid"


def assume(endpoint: str, account: str, role: str, session: str) -> Session:
    """A new session of ``role`` (an ARN). Raises ``Unanswered``."""
    began = time.time()
    sts = client("sts", endpoint, account, REGION)
    answer = ask(sts.assume_role, RoleArn=role, RoleSessionName=session, DurationSeconds=SESSION_SECONDS)
    told = answer["Credentials"]
    return Session(role, told["AccessKeyId"], told["SecretAccessKey"], told["SessionToken"], began, told["Expiration"])
