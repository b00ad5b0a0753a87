"""Who answers for which service."""

from __future__ import annotations

import boto3
import botocore.session
import pytest

from emrlab.region import models, owners
from emrlab.region.owners import Owner

SERVICES = [(one.scope, model) for one in owners.SERVICES.values() for model in one.models]


def test_emr_is_ours_and_ours_alone():
    assert [one.scope for one in owners.SERVICES.values() if one.owner is Owner.EMRLAB] == ["elasticmapreduce"]


@pytest.mark.parametrize(("scope", "model"), SERVICES)
def test_the_scope_is_what_botocores_client_signs_with(scope, model):
    about = models.description(model)["metadata"]
    assert scope == about.get("signingName", about["endpointPrefix"])


def test_every_service_has_a_client():
    assert {model for _, model in SERVICES} <= set(boto3.session.Session().get_available_services())


@pytest.mark.parametrize("scope", ["comprehend", "S3", "", "s3 ", "../s3"])
def test_a_scope_that_is_not_listed_has_no_owner(scope):
    assert owners.service(scope) is None


@pytest.mark.parametrize(("scope", "model"), SERVICES)
def test_the_model_is_botocores_without_prose(scope, model):
    theirs = botocore.session.get_session().get_service_model(model)
    ours = models.model(model)
    assert ours.operation_names == theirs.operation_names
    assert ours.api_version == theirs.api_version
