"""Other AWS services as EMR calls them: like any client, over the region's endpoint."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from .s3 import SECRET

CALLER = "elasticmapreduce.amazonaws.com"  # who CloudTrail says it was


class Unanswered(Exception):
    """A service refused, or did not answer; the message is its own. ``code``: the error's name, empty without one."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


def ask(operation: Callable[..., Any], **params: Any) -> dict[str, Any]:
    """A client's answer. Raises ``Unanswered``."""
    try:
        answer: dict[str, Any] = operation(**params)
    except ClientError as error:
        told = error.response["Error"]
        raise Unanswered(told.get("Message") or str(error), told["Code"]) from error
    except BotoCoreError as error:
        raise Unanswered(str(error)) from error
    return answer


@functools.lru_cache
def client(service: str, endpoint: str, access_key: str, region: str) -> Any:
    """``access_key``: whose; twelve digits are that account's root."""
    import boto3
    from botocore.config import Config

    return boto3.session.Session().client(
        service,
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id=access_key,
        aws_secret_access_key=SECRET,
        config=Config(retries={"total_max_attempts": 2}, connect_timeout=5, user_agent=CALLER),
    )
