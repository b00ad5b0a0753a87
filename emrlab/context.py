"""Who calls a service, and from where: handed from the gateway to the service's owner."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class RequestContext:
    """One AWS request's identity, taken from its SigV4 credential scope."""

    account: str
    region: str
    access_key: str
    request_id: str
    user_agent: str = ""
    source_ip: str = "127.0.0.1"
    headers: dict[str, str] = field(default_factory=dict)
