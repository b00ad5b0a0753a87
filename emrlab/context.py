"""Who calls a service, from where, and what they must be allowed: passed between the gateway and a service's owner."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class RequestContext:
    """One AWS request's identity, taken from its SigV4 credential scope. ``arn``: of its IAM user or role session."""

    account: str
    region: str
    access_key: str
    request_id: str
    user_agent: str = ""
    source_ip: str = "127.0.0.1"
    headers: dict[str, str] = field(default_factory=dict)
    arn: str = ""

    @property
    def caller(self) -> str:
        """The ARN of who asks: without another, the account's root."""
        return self.arn or f"arn:aws:iam::{self.account}:root"


@dataclass(frozen=True)
class Demand:
    """An IAM action that the caller's policies must allow on ``resource``. ``keys``: condition keys of the request."""

    action: str
    resource: str = "*"
    keys: dict[str, Any] = field(default_factory=dict)
