"""The contract with ministack's IAM: each private name that the hooks use is there with its parameters."""

from __future__ import annotations

import ast
import contextvars
import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest

from emrlab.region import authorisation, policy_variables
from emrlab.region import ministack_hooks as hooks
from emrlab.region import ministack_iam as iam
from emrlab.region.protocol import Request

# Name → parameters; None: not a function.
APP: dict[str, list[str] | None] = {
    "AUTH": None,
    "_get_module": ["name"],
    "_request_account_scope": ["access_key_id"],
    "extract_access_key_id": ["headers", "query_params"],
    "_authenticate_only": ["service", "headers", "query_params", "request_id"],
    "_credential_failure": ["service", "iam_action", "request_id", "denied", "headers"],
}
IAM: dict[str, list[str] | None] = {
    "_make_aws_managed_record": ["name", "document", "description"],
    "_aws_managed_policies": None,
    "handle_request": ["method", "path", "headers", "body", "query_params"],
}
S3: dict[str, list[str] | None] = {"_merge_hoisted_amz_headers": ["headers", "query_params"]}
EVALUATOR: dict[str, list[str] | None] = {
    "is_root_access_key": ["access_key_id"],
    "pin_request_origin": ["source_ip", "secure_transport"],
    "pin_signed_request": ["method", "raw_path", "query_params", "raw_headers", "handshake"],
    "pin_signed_body": ["body"],
    "pin_request_caller": ["headers", "query_params"],
    "enforce": ["access_key_id", "iam_action", "service", "region", "resource_arn", "service_context"],
    "AuthError": None,
    "ParsedStatement": None,
    "_first_match": ["ctx", "stmts", "effect"],
    "_resolve_condition_key": ["key", "ctx"],
}
ACTIONS: dict[str, list[str] | None] = {
    "_auth_failure": ["service", "code", "message", "headers"],
    "identity_denial_message": ["action", "principal_arn", "resource", "explicit_deny"],
    "extract_iam_action": ["service", "method", "path", "headers", "body", "query_params"],
    "extract_resource_arn": [*("service", "method", "path", "headers", "body", "query_params", "region", "account_id")],
    "s3_service_context": ["iam_action", "query_params", "path", "headers"],
    "s3_additional_checks": ["method", "path", "headers", "body", "query_params"],
    "s3_access_point_resources": ["resource_arn"],
}


@pytest.mark.parametrize("room", ["app", "iam", "s3", "evaluator", "actions"])
def test_names_are_there_with_their_parameters(room):
    module: Any
    module, names = {
        "app": (hooks.app(), APP),
        "iam": (hooks.app()._get_module("iam"), IAM),
        "s3": (hooks.s3(), S3),
        "evaluator": (iam.evaluator(), EVALUATOR),
        "actions": (iam.actions(), ACTIONS),
    }[room]
    for name, parameters in names.items():
        found = getattr(module, name)
        if parameters is not None:
            assert list(inspect.signature(found).parameters) == parameters, name


def test_no_private_name_is_used_but_those_of_the_contract():
    trees = [ast.parse(Path(module.__file__).read_text()) for module in (iam, policy_variables)]
    nodes = [one for tree in trees for one in ast.walk(tree)]
    private = {one.attr for one in nodes if isinstance(one, ast.Attribute) and re.match("_[a-z]", one.attr)}
    assert private - {"_emrlab"} <= {*APP, *IAM, *S3, *EVALUATOR, *ACTIONS}


def test_auth_is_looked_at_by_ministack_when_it_serves_and_never_kept():
    """A module that imported ``AUTH`` by name would keep what it was then."""
    folder = Path(hooks.app().__file__).parent
    kept = [
        file.name
        for file in folder.rglob("*.py")
        if re.search(r"^from ministack\.app import.*AUTH", file.read_text(), re.M)
    ]
    assert kept == []
    assert not re.search(r"\bAUTH is (not )?(True|False)|AUTH ==", Path(hooks.app().__file__).read_text())


@pytest.mark.parametrize(
    ("key", "service", "counts", "checked"),
    [
        ("test", "s3", False, False),
        ("123456789012", "elasticmapreduce", False, False),
        ("minioadmin", "s3", False, False),
        ("AKIAREAL", "s3", False, False),
        ("AKIAIOSFODNN7EXAMPLE", "elasticmapreduce", True, True),
        ("ASIAIOSFODNN7EXAMPLE", "s3", True, True),
        ("test", "sts", False, True),
    ],
)
def test_policies_count_for_keys_of_iams_making(key, service, counts, checked):
    def look() -> tuple[bool, bool]:
        scope = {"method": "POST", "path": "/", "headers": []}
        return authorisation.check(key, service, scope, Request("POST", "/", "/", {}, {})), bool(iam.Checked())

    assert contextvars.copy_context().run(look) == (counts, checked)


def test_managed_policies_of_emr_are_policies():
    for name, document in json.loads(iam.POLICIES.read_text()).items():
        assert re.fullmatch(r"(service-role/)?Amazon(ElasticMapReduce|EMR)\w+", name)
        assert iam.evaluator().validate_policy_document(document) is None


VALUES = {"aws:username": "ann", "aws:userid": "AIDA1", "aws:PrincipalTag/team": "blue", "many": ["a", "b"]}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("home/${aws:username}/*", "home/ann/*"),
        ("${aws:userid}-${aws:PrincipalTag/team}", "AIDA1-blue"),
        ("${aws:PrincipalTag/none, 'all'}/x", "all/x"),
        ("${aws:PrincipalTag/team, 'all'}", "blue"),
        ("${*}${?}${$}", "*?$"),
        ("plain", "plain"),
    ],
)
def test_variables_become_the_requests_values(given, told):
    assert policy_variables.text(given, VALUES.get) == told


@pytest.mark.parametrize("given", ["${aws:PrincipalTag/none}", "${many}"])
def test_a_variable_without_one_value_fits_nothing(given):
    with pytest.raises(policy_variables.NoValue):
        policy_variables.text(given, VALUES.get)


def test_a_statement_is_read_without_what_has_no_value():
    made = iam.evaluator().ParsedStatement
    both = made("", "Allow", ["*"], resources=["a/${none}", "b/${aws:username}"])
    assert policy_variables.read(both, VALUES.get).resources == ["b/ann"]
    for stmt in (
        made("", "Allow", ["*"], resources=["a/${none}"]),
        made("", "Deny", ["*"], resources=["*"], conditions={"StringEquals": {"aws:ResourceTag/owner": ["${none}"]}}),
    ):
        with pytest.raises(policy_variables.NoValue):
            policy_variables.read(stmt, VALUES.get)
    plain = made("", "Allow", ["*"], resources=["*"])
    assert policy_variables.read(plain, VALUES.get) is plain
