"""Who answers for which service: SigV4 signing name → owner and botocore's names of the service."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Owner(StrEnum):
    EMRLAB = "emrlab"
    MINISTACK = "ministack"
    MOTO = "moto"


@dataclass(frozen=True)
class Service:
    """One signing name. ``models``: the botocore services that sign with it."""

    scope: str
    owner: Owner
    models: tuple[str, ...]


def rows(owner: Owner, *names: str) -> dict[str, Service]:
    """``scope`` or ``scope=model,model`` where botocore's name is another."""
    found = {}
    for name in names:
        scope, _, models = name.partition("=")
        found[scope] = Service(scope, owner, tuple(models.split(",")) if models else (scope,))
    return found


# A service that is not here is refused: an emulation nobody has looked at teaches wrong things.
SERVICES: dict[str, Service] = {
    **rows(Owner.EMRLAB, "elasticmapreduce=emr"),
    **rows(
        Owner.MINISTACK,
        *("s3", "iam", "sts", "ec2", "kms", "ssm", "secretsmanager"),
        *("sqs", "sns", "lambda", "states=stepfunctions", "events", "scheduler", "pipes"),
        *("kinesis", "firehose", "dynamodb=dynamodb,dynamodbstreams"),
        *("monitoring=cloudwatch", "logs", "cloudtrail", "tagging=resourcegroupstaggingapi", "resource-groups"),
        *("glue", "athena", "s3tables", "autoscaling", "cloudformation"),
    ),
    **rows(
        Owner.MOTO,
        *("redshift", "redshift-data", "lakeformation", "application-autoscaling", "servicecatalog"),
        "cloudhsm=cloudhsmv2",
    ),
}


def service(scope: str) -> Service | None:
    """The service that requests signed for ``scope`` belong to; None when emrlab has none."""
    return SERVICES.get(scope)
