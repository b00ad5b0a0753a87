"""Who may use a Studio: users and groups of IAM Identity Center, each with a session policy."""

from __future__ import annotations

import re
import time
from typing import Any

from .. import errors, shapes
from ..account import SessionMapping, Studio, made, mine, own
from ..paging import page
from ..registry import Call, operation
from .studios import found

PAGE = 50
MOST = {"USER": 100, "GROUP": 5}  # "Considerations and limitations": service limits for EMR Studio
POLICY = re.compile(r"arn:aws[\w-]*:iam::(?:\d{12}|aws):policy/.+")


def identity(params: dict[str, Any]) -> tuple[str, str]:
    """Id and name of the user or group, one of them empty."""
    identity_id, name = params.get("IdentityId", ""), params.get("IdentityName", "")
    if bool(identity_id) is bool(name):
        raise errors.invalid("Either IdentityId or IdentityName must be specified, but not both.")
    return identity_id, name


def mapped(call: Call, params: dict[str, Any]) -> SessionMapping:
    studio = found(call, params["StudioId"])
    wanted = identity(params)
    for one in call.service.history.of(SessionMapping, studio.id):
        if one.identity_type == params["IdentityType"] and (one.identity_id, one.identity_name) == wanted:
            return one
    raise errors.invalid("Studio session mapping does not exist.")


def policy(params: dict[str, Any]) -> str:
    arn: str = params["SessionPolicyArn"]
    if not POLICY.fullmatch(arn):
        raise errors.invalid(f"SessionPolicyArn '{arn}' is not the ARN of an IAM policy.")
    return arn


def summary(one: SessionMapping) -> dict[str, Any]:
    return {
        "StudioId": one.cluster,
        "IdentityId": one.identity_id or None,
        "IdentityName": one.identity_name or None,
        "IdentityType": one.identity_type,
        "SessionPolicyArn": one.policy,
        "CreationTime": shapes.moment(one.created),
    }


@operation("CreateStudioSessionMapping")
def create_studio_session_mapping(call: Call, params: dict[str, Any]) -> None:
    """Only where users sign in with IAM Identity Center; a Studio with IAM authentication knows its users from IAM."""
    identity_id, name = identity(params)
    kind, arn = params["IdentityType"], policy(params)
    history = call.service.history
    with history.transaction():
        studio = found(call, params["StudioId"])
        if studio.auth_mode != "SSO":
            raise errors.invalid("A session mapping needs a Studio that uses IAM Identity Center (SSO) authentication.")
        others = [one for one in history.of(SessionMapping, studio.id) if one.identity_type == kind]
        if any((one.identity_id, one.identity_name) == (identity_id, name) for one in others):
            raise errors.invalid("Studio session mapping already exists.")
        if len(others) >= MOST[kind]:
            raise errors.invalid(f"A Studio may have {MOST[kind]} session mappings of type {kind}.")
        fields = {"identity_type": kind, "identity_id": identity_id, "identity_name": name, "policy": arn}
        key = own(call, studio.id, kind, "id" if identity_id else "name", identity_id or name)
        history.add(made(call, SessionMapping, key, studio.id, changed=time.time(), **fields))


@operation("GetStudioSessionMapping")
def get_studio_session_mapping(call: Call, params: dict[str, Any]) -> dict[str, Any]:
    one = mapped(call, params)
    return {"SessionMapping": {**summary(one), "LastModifiedTime": shapes.moment(one.changed)}}


@operation("ListStudioSessionMappings")
def list_studio_session_mappings(call: Call, params: dict[str, Any]) -> dict[str, Any]:
    """Of one Studio, or of all that the account has in the region."""
    studios: list[Studio] = [found(call, params["StudioId"])] if params.get("StudioId") else mine(call, Studio)
    every = [one for studio in studios for one in call.service.history.of(SessionMapping, studio.id)]
    kind = params.get("IdentityType")
    items, more = page([one for one in every if kind in (None, one.identity_type)], params, PAGE)
    return {"SessionMappings": [summary(one) for one in items], **more}


@operation("UpdateStudioSessionMapping")
def update_studio_session_mapping(call: Call, params: dict[str, Any]) -> None:
    arn = policy(params)
    history = call.service.history
    with history.transaction(), history.changing(SessionMapping, mapped(call, params).id) as now:
        now.policy, now.changed = arn, time.time()


@operation("DeleteStudioSessionMapping")
def delete_studio_session_mapping(call: Call, params: dict[str, Any]) -> None:
    with call.service.history.transaction():
        call.service.history.remove(SessionMapping, mapped(call, params).id)
