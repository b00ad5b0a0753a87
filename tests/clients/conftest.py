"""Clients that others wrote, unmodified, against a real region and real engines."""

from __future__ import annotations

import boto3
import pytest


@pytest.fixture(scope="module")
def emr(region):
    return boto3.session.Session().client("emr")


@pytest.fixture(scope="module")
def s3(region):
    return boto3.session.Session().client("s3")
