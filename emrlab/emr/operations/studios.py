"""EMR Studios: their settings, checked against EC2 and S3 as EMR does. Its Workspaces are not built."""

from __future__ import annotations

from typing import Any

from .. import errors, ids, shapes
from ..account import SessionMapping, Studio, made, mine
from ..aws import Unanswered
from ..ec2 import EC2
from ..paging import page
from ..registry import Call, operation
from ..requests import request
from ..s3 import S3, S3Error, is_s3
from .tags import MOST, TAGGED

PAGE = 50
PREFIX = "/_emrlab/studios/"
STUDIOS, SUBNETS = 100, 5  # "Considerations and limitations": service limits for EMR Studio
TOLD = (
    *("Description", "ServiceRole", "UserRole", "WorkspaceSecurityGroupId", "EngineSecurityGroupId"),
    *("DefaultS3Location", "IdpAuthUrl", "IdpRelayStateParameterName", "IdcInstanceArn", "IdcUserAssignment"),
    *("TrustedIdentityPropagationEnabled", "EncryptionKeyArn"),
)
# Which members belong to which way of signing in ("Create an EMR Studio").
SSO_ONLY = ("UserRole", "IdcInstanceArn", "IdcUserAssignment", "TrustedIdentityPropagationEnabled")
IAM_ONLY = ("IdpAuthUrl", "IdpRelayStateParameterName")
NAMES = {"SSO": "IAM Identity Center (SSO)", "IAM": "IAM"}
TAGGED["es-"] = Studio


def found(call: Call, studio_id: str) -> Studio:
    one = call.service.history.get(Studio, studio_id)
    if one is None or not call.owns(one):
        raise errors.invalid("Studio does not exist.")
    return one


@operation("CreateStudio")
def create_studio(call: Call, params: dict[str, Any]) -> dict[str, Any]:
    if not params["Name"].strip():
        raise errors.invalid("A Studio needs a name.")
    check_sign_in(params)
    tags = request.tags(params.get("Tags") or [])
    if len(tags) > MOST:
        raise errors.invalid(f"A Studio may have {MOST} tags.")
    check_network(call, params)
    check_place(call, params["ServiceRole"], params["DefaultS3Location"])
    history = call.service.history
    new = made(
        call,
        Studio,
        ids.made("es", 25),
        name=params["Name"],
        auth_mode=params["AuthMode"],
        vpc=params["VpcId"],
        subnets=list(dict.fromkeys(params["SubnetIds"])),
        settings={name: params[name] for name in TOLD if params.get(name) is not None},
        tags=tags,
    )
    with history.transaction():
        account = "json_extract(body, '$.account') = ?"
        if len(history.select(Studio, account, [call.context.account])) >= STUDIOS:
            raise errors.invalid(f"An account may have {STUDIOS} Studios.")
        history.add(new)
    return {"StudioId": new.id, "Url": url(call, new)}


def check_sign_in(params: dict[str, Any]) -> None:
    mode = params["AuthMode"]
    for name in IAM_ONLY if mode == "SSO" else SSO_ONLY:
        if params.get(name):
            raise errors.invalid(f"{name} must not be specified for a Studio that uses {NAMES[mode]} authentication.")
    if mode == "SSO" and not params.get("UserRole"):
        raise errors.invalid(f"UserRole must be specified for a Studio that uses {NAMES[mode]} authentication.")
    if params.get("TrustedIdentityPropagationEnabled"):
        raise errors.not_built("Trusted identity propagation, which EMR Studio has,")


def check_network(call: Call, params: dict[str, Any]) -> None:
    """VPC, subnets and security groups are there, and belong together."""
    ec2 = EC2(call.service.endpoint, call.context.account, call.context.region)
    vpc = params["VpcId"]
    try:
        ec2.vpc(vpc)
        check_subnets(ec2, vpc, params["SubnetIds"])
        for name in ("WorkspaceSecurityGroupId", "EngineSecurityGroupId"):
            (group,) = ec2.security_groups([params[name]])
            if group["VpcId"] != vpc:
                raise errors.invalid(f"{name}: the security group '{params[name]}' is not in the VPC '{vpc}'.")
    except Unanswered as error:
        raise errors.invalid(str(error)) from error


def check_subnets(ec2: EC2, vpc: str, wanted: list[str]) -> None:
    """Raises ``AwsError``, ``Unanswered``."""
    if not wanted:
        raise errors.invalid("A Studio needs a subnet.")
    if len(set(wanted)) > SUBNETS:
        raise errors.invalid(f"A Studio can have a maximum of {SUBNETS} subnets.")
    for one in ec2.subnets(list(dict.fromkeys(wanted))):
        if one["VpcId"] != vpc:
            raise errors.invalid(f"The subnet '{one['SubnetId']}' is not in the VPC '{vpc}'.")


def check_place(call: Call, role: str, place: str) -> None:
    if not is_s3(place) or not place.partition("://")[2].strip("/"):
        raise errors.invalid(f"DefaultS3Location '{place}' is not a place in S3, for example s3://my-bucket/studio/")
    try:
        there = S3(call.service.endpoint, call.context.account, call.context.region).has_bucket(place)
    except S3Error as error:
        raise errors.invalid(str(error)) from error
    if not there:
        raise errors.invalid(
            f"The service role '{role}' does not have permission to access the 'S3 Location' '{place}', "
            "or there is no such bucket."
        )


def url(call: Call, studio: Studio) -> str:
    """``https://es-….emrstudio-prod.us-east-1.amazonaws.com`` on AWS; here a page of the region."""
    return f"{call.service.endpoint}{PREFIX}{studio.id}"


def summary(call: Call, one: Studio) -> dict[str, Any]:
    return {
        "StudioId": one.id,
        "Name": one.name,
        "VpcId": one.vpc,
        "Description": one.settings.get("Description"),
        "Url": url(call, one),
        "AuthMode": one.auth_mode,
        "CreationTime": shapes.moment(one.created),
    }


@operation("DescribeStudio")
def describe_studio(call: Call, params: dict[str, Any]) -> dict[str, Any]:
    one = found(call, params["StudioId"])
    arn = f"arn:aws:elasticmapreduce:{one.region}:{one.account}:studio/{one.id}"
    more = {"StudioArn": arn, "SubnetIds": one.subnets, "Tags": shapes.tags(one.tags)}
    return {"Studio": {**one.settings, **summary(call, one), **more}}


@operation("ListStudios")
def list_studios(call: Call, params: dict[str, Any]) -> dict[str, Any]:
    items, more = page(mine(call, Studio), params, PAGE)
    return {"Studios": [summary(call, one) for one in items], **more}


@operation("UpdateStudio")
def update_studio(call: Call, params: dict[str, Any]) -> None:
    """Subnets may be added; those that are there stay ("Monitor, update, and delete Amazon EMR Studio resources")."""
    before = found(call, params["StudioId"])
    if "Name" in params and not params["Name"].strip():
        raise errors.invalid("A Studio needs a name.")
    subnets = params.get("SubnetIds")
    if subnets is not None:
        if missing := [one for one in before.subnets if one not in subnets]:
            raise errors.invalid(f"Subnets cannot be removed from a Studio. Missing: {', '.join(missing)}.")
        try:
            ec2 = EC2(call.service.endpoint, call.context.account, call.context.region)
            check_subnets(ec2, before.vpc, subnets)
        except Unanswered as error:
            raise errors.invalid(str(error)) from error
    if place := params.get("DefaultS3Location"):
        check_place(call, before.settings["ServiceRole"], place)
    with call.service.history.transaction():
        found(call, before.id)  # nobody has deleted it meanwhile
        with call.service.history.changing(Studio, before.id) as now:
            now.name = params.get("Name", now.name)
            if subnets is not None:
                now.subnets = list(dict.fromkeys(subnets))
            for name in ("Description", "DefaultS3Location", "EncryptionKeyArn"):
                if params.get(name) is not None:
                    now.settings[name] = params[name]


@operation("DeleteStudio")
def delete_studio(call: Call, params: dict[str, Any]) -> None:
    """Its assignments of users and groups go with it."""
    history = call.service.history
    with history.transaction():
        one = found(call, params["StudioId"])
        for mapping in history.of(SessionMapping, one.id):
            history.remove(SessionMapping, mapping.id)
        history.remove(Studio, one.id)
