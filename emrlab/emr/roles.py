"""The roles that clusters are given: looked up in IAM, and assumed for their nodes, as any client would."""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from ..errors import AwsError
from . import errors
from .s3 import SECRET

if TYPE_CHECKING:
    from .records import Cluster

REGION = "us-east-1"  # IAM is global
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
    """Temporary credentials of a role."""

    access_key: str
    secret: str
    token: str
    began: float
    expires: datetime


def profile(endpoint: str, account: str, name: str) -> Profile | None:
    """The instance profile ``name`` (or its ARN); None when IAM has none. Raises ``AwsError`` when it does not say."""
    try:
        told = client("iam", endpoint, account).get_instance_profile(InstanceProfileName=name.rpartition("/")[2])
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchEntity":
            return None
        raise unanswered(error) from error
    except BotoCoreError as error:
        raise unanswered(error) from error
    found = told["InstanceProfile"]
    role: dict[str, Any] = next(iter(found["Roles"]), {})
    return Profile(found["Arn"], found["InstanceProfileId"], role.get("RoleName", ""), role.get("Arn", ""))


def exists(endpoint: str, account: str, name: str) -> bool:
    """Whether IAM has the role ``name`` (or its ARN). Raises ``AwsError`` when IAM does not say."""
    try:
        client("iam", endpoint, account).get_role(RoleName=name.rpartition("/")[2])
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchEntity":
            return False
        raise unanswered(error) from error
    except BotoCoreError as error:
        raise unanswered(error) from error
    return True


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
    """A new session of ``role`` (an ARN). Raises ``ClientError``, ``BotoCoreError``."""
    began = time.time()
    told = client("sts", endpoint, account).assume_role(
        RoleArn=role, RoleSessionName=session, DurationSeconds=SESSION_SECONDS
    )["Credentials"]
    return Session(told["AccessKeyId"], told["SecretAccessKey"], told["SessionToken"], began, told["Expiration"])


def unanswered(error: Exception) -> AwsError:
    return AwsError("InternalServerException", f"IAM did not say whether the role exists: {error}", 500)


@functools.lru_cache
def client(service: str, endpoint: str, account: str) -> Any:
    import boto3
    from botocore.config import Config

    return boto3.session.Session().client(
        service,
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=account,  # twelve digits are that account's root
        aws_secret_access_key=SECRET,
        config=Config(retries={"total_max_attempts": 2}, connect_timeout=5),
    )
