"""Whose policies count: those of IAM users and of role sessions, always. The account's root may do anything.

Root signs with ``test``, with twelve digits, or with any other key that is not of IAM's making: a learner who never
creates a user never meets a policy.
"""

from __future__ import annotations

import contextvars
import re
from collections.abc import Iterable, MutableMapping
from typing import Any

from ..context import Demand
from ..errors import AwsError
from . import ministack_hooks as hooks
from . import ministack_iam as iam
from .protocol import Request

# An IAM user's access key, or a session's. One that IAM does not know was deleted, has expired, or is a real account's.
KEY = re.compile(r"A[KS]IA[A-Z0-9]{12,}")


def check(access_key: str, service: str, scope: MutableMapping[str, Any], request: Request) -> bool:
    """Let policies count in this context, if its caller has some. ``scope``: ASGI's; before the body is read."""
    if not KEY.fullmatch(access_key):
        # Roles say whom they trust, to root too.
        iam.CHECKED.set(service == "sts" and iam.is_root(access_key))
        return False
    iam.CHECKED.set(True)
    iam.policies()
    iam.pin(scope, request.query)
    return True


def demand(demands: Iterable[Demand], access_key: str, service: str, region: str, request: Request) -> None:
    """Raise ``AwsError`` unless all is allowed. Only where ``check`` said that policies count."""

    def evaluate() -> None:
        hooks.pin(access_key, region)
        iam.pin_body(request.body)
        for one in demands:
            refused = iam.enforce(access_key, one.action, service, region, one.resource, one.keys)
            if refused is not None:
                raise AwsError(*iam.denial(service, one.action, one.resource, refused, request.headers))

    contextvars.copy_context().run(evaluate)
