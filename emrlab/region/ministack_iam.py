"""What emrlab uses of ministack's IAM that ministack does not promise to keep: see ``ministack_hooks``.

ministack evaluates policies when ``app.AUTH`` is true. Here ``AUTH`` is true during the calls of those who have
policies, and false for the account's root and for what services do by themselves.
"""

from __future__ import annotations

import contextvars
import functools
import json
from collections.abc import MutableMapping
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlencode

from . import ministack_hooks as hooks

CHECKED: contextvars.ContextVar[bool] = contextvars.ContextVar("CHECKED", default=False)
POLICIES = Path(__file__).with_name("emr_policies.json")
Reply = tuple[int, dict[str, Any], Any]


class Checked:
    """Stands in ``AUTH``'s place: whether the caller's policies count in this context."""

    def __bool__(self) -> bool:
        return CHECKED.get()


def install() -> None:
    gate: Any = hooks.app()
    gate.AUTH = Checked()


def evaluator() -> ModuleType:
    from ministack.core import iam_evaluator

    return iam_evaluator


def actions() -> ModuleType:
    from ministack.core import iam_actions

    return iam_actions


def is_root(access_key: str) -> bool:
    """Whether a key is the root's of some account."""
    return bool(evaluator().is_root_access_key(access_key))


@functools.cache
def policies() -> None:
    """Add AWS's managed policies for EMR, as the AWS Managed Policy Reference has them, to those ministack knows."""
    iam: Any = hooks.app()._get_module("iam")
    for name, document in json.loads(POLICIES.read_text()).items():
        record = iam._make_aws_managed_record(name, json.dumps(document))
        iam._aws_managed_policies.setdefault(record["Arn"], record)


def query(account: str, action: str, **params: str) -> int:
    """One call of IAM as ``account``'s root; its HTTP status."""

    def work() -> int:
        hooks.pin(account, "us-east-1")
        iam: Any = hooks.app()._get_module("iam")
        body = urlencode({"Action": action, "Version": "2010-05-08", **params}).encode()
        headers = {"content-type": "application/x-www-form-urlencoded"}
        return int(hooks.drive(iam.handle_request("POST", "/", headers, body, {}))[0])

    policies()
    return contextvars.copy_context().run(work)


def pin(scope: MutableMapping[str, Any], query_params: dict[str, list[str]]) -> None:
    """Remember a request as it was signed; ``scope``: ASGI's."""
    raw = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
    evaluator().pin_request_origin((scope.get("client") or ("127.0.0.1",))[0], False)
    evaluator().pin_signed_request(scope["method"], raw, query_params, scope["headers"])


def pin_body(body: bytes) -> None:
    evaluator().pin_signed_body(body)


def enforce(access_key: str, action: str, service: str, region: str, resource: str, keys: dict[str, Any]) -> Any:
    """None when the action is allowed; else why not, for ``denial``. A pinned request's signature is checked first."""
    return evaluator().enforce(access_key, action, service, region, resource, keys)


def denial(service: str, action: str, resource: str, refused: Any, headers: dict[str, str]) -> tuple[str, str, int]:
    """The error of a JSON service for what ``enforce`` said: code, message, HTTP status."""
    if isinstance(refused, evaluator().AuthError):
        code, status, message = actions()._auth_failure(service, refused.code, refused.message, headers)
        return code, message, status
    explicit = refused.decision == "Deny"
    message = actions().identity_denial_message(action, refused.principal_arn, resource, explicit)
    return "AccessDeniedException", message, 400


def s3_denied(
    method: str, path: str, headers: dict[str, str], body: bytes, query_params: dict[str, list[str]], request_id: str
) -> Reply | None:
    """S3's refusal of a request that its signer's policies and the bucket's do not allow; None when they do."""
    known, gate = actions(), hooks.app()
    merged = hooks.s3()._merge_hoisted_amz_headers(headers, query_params)
    access_key, region = gate.extract_access_key_id(headers, query_params), gate.extract_region(headers, query_params)
    evaluator().pin_request_caller(headers, query_params)
    action = known.extract_iam_action("s3", method, path, headers, body, query_params)
    if action is None:
        refused: Reply | None = gate._authenticate_only("s3", headers, query_params, request_id)
        return refused
    resource = known.extract_resource_arn("s3", method, path, headers, body, query_params, region, "")
    context = known.s3_service_context(action, query_params, path, merged)
    checks = [(action, resource, context)]
    more = known.s3_additional_checks(method, path, merged, body, query_params)
    checks += [(also, arn, {}) for also, arn in more]
    for wanted, named, keys in checks:
        for arn, other in known.s3_access_point_resources(named):
            failed = enforce(access_key, wanted, "s3", region, arn, {**keys, **other})
            if isinstance(failed, evaluator().AuthError):
                reply: Reply = gate._credential_failure("s3", wanted, request_id, failed, headers)
                return reply
            if failed is not None:
                reply = known.access_denied_response(
                    *("s3", wanted, failed.principal_arn, request_id),
                    headers=headers,
                    resource_arn=arn,
                    explicit_deny=failed.decision == "Deny",
                    resource_policy_arn=failed.resource_policy_arn,
                )
                return reply
    return None
