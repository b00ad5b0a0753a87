"""The contract with ministack: each private name that the hooks use is there, and does what they count on.

Run as a program, this file makes its own checks, on a ministack of its own (it reads its settings when imported), and
writes down how each ended.
"""

from __future__ import annotations

import ast
import asyncio
import errno
import inspect
import json
import os
import re
import subprocess
import sys
import tomllib
import traceback
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from emrlab.home import Home
from emrlab.region import key_pairs, scaling_alarms
from emrlab.region import ministack_hooks as hooks

PYPROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"
# Name → parameters; None: not a function.
APP: dict[str, list[str] | None] = {
    "_get_module": ["name"],
    "_request_account_scope": ["access_key_id"],
    "_collect_scripts": ["dirs"],
    "_build_persistence_save_dict": [],
    "_state_map": None,
    "SERVICE_NAME_ALIASES": None,
    "SERVICE_REGISTRY": None,
    "_read_request_body": ["receive", "method", "headers"],
    "_RequestBodyDisconnected": None,
    "_IncompleteRequestBody": None,
    "fix_error_content_type": ["service", "status", "headers"],
    "extract_region": ["headers", "query_params"],
    "_maybe_record_cloudtrail": [
        *("service", "method", "path", "headers", "body", "query_params", "request_id", "region")
    ],
    "app": ["scope", "receive", "send"],
}
S3: dict[str, list[str] | None] = {
    "_PERSISTED_BUCKET_DICTS": None,
    "_object_retention": None,
    "_object_legal_hold": None,
    "_buckets": None,
    "_object_versions": None,
    "_multipart_uploads": None,
    "_read_body": ["bucket_name", "key", "obj"],
    "_object_disk_path": ["bucket", "key", "account_id"],
    "_record_object_version": ["bucket_name", "key", "prior_obj", "obj", "data"],
    "_persist_object": ["bucket", "key", "obj"],
    "_persist_displaced_version": ["bucket_name", "key", "prior_obj", "versioning"],
    "_delete_persisted_object": ["bucket_name", "key"],
    "_complete_multipart_upload": ["bucket_name", "key", "body", "query_params", "headers"],
    "_version_file_exists": ["bucket_name", "key", "version_id", "account_id"],
    "handle_request": [
        "method",
        "path",
        "headers",
        "body",
        "query_params",
        "signed_path",
        "enforce_bucket_region",
        "internal",
        "access_point_region",
        "access_point",
    ],
    "is_standard_object_request": ["method", "path", "headers", "query_params"],
    "format_head_response": ["path", "headers", "response"],
}
EC2: dict[str, list[str] | None] = {
    "_az_id_for_zone_name": ["zone_name"],
    "_ACTION_MAP": None,
    "_key_pairs": None,
    "_tags": None,
    "_p": ["params", "key", "default"],
    "_parse_member_list": ["params", "prefix"],
    "_parse_filters": ["params"],
    "_parse_tag_specs": ["p", "resource_type", "resource_id"],
    "_tag_set_xml": ["resource_id"],
    "_xml": ["status", "root_tag", "inner"],
    "_error": ["code", "message", "status"],
}
CLOUDWATCH: dict[str, list[str] | None] = {
    "_evaluate_alarm": ["alarm"],
}
EVENTS: dict[str, list[str] | None] = {
    "_put_events": ["data", "allow_aws_source"],
    "_events_log_list": [],
}
RESPONSES: dict[str, list[str] | None] = {
    "set_request_account_id": None,
    "set_request_region": None,
    "set_request_client_ip": None,
    "get_account_id": [],
}
PERSISTENCE: dict[str, list[str] | None] = {
    "STATE_DIR": None,
    "_state_format_version": ["service"],
    "_json_default": ["obj"],
}


def call(method: str, path: str, body: bytes = b"", query: dict[str, list[str]] | None = None, **headers: str) -> Any:
    sent = {"host": "127.0.0.1", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return hooks.s3_call(method, path, sent, body, query or {}, "request")


def put(path: str, body: bytes = b"", **headers: str) -> int:
    return int(call("PUT", path, body, **headers)[0])


def body_of(path: str) -> bytes:
    return bytes(call("GET", path)[2])


def files() -> set[Path]:
    return {path for path in Path(os.environ["S3_DATA_DIR"]).rglob("*") if path.is_file()}


# The checks


def names_are_there_with_their_parameters() -> None:
    from ministack.core import responses

    module: Any
    listed = ((hooks.app(), APP), (hooks.s3(), S3), (hooks.persistence(), PERSISTENCE), (responses, RESPONSES))
    for name, names in (("ec2", EC2), ("cloudwatch", CLOUDWATCH), ("eventbridge", EVENTS)):
        listed = (*listed, (hooks.app()._get_module(name), names))
    for module, names in listed:
        for name, parameters in names.items():
            found = getattr(module, name)
            if parameters is not None:
                assert list(inspect.signature(found).parameters) == parameters, name


def settings_are_heard() -> None:
    assert str(hooks.persistence().STATE_DIR) == os.environ["STATE_DIR"]
    assert hooks.s3().S3_PERSIST
    assert os.environ["S3_DATA_DIR"] == hooks.s3().DATA_DIR


def a_key_of_twelve_digits_is_an_account_and_any_other_is_ours() -> None:
    assert hooks.pin("test", "us-east-1") == "123456789012"
    assert hooks.pin("210987654321", "us-east-1") == "210987654321"
    assert hooks.pin("test", "us-east-1") == "123456789012"


def it_starts_and_lives_until_it_is_cancelled() -> None:
    async def once() -> None:
        task = await hooks.start()
        assert not task.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(once())


def an_answer_that_would_wait_is_refused() -> None:
    with pytest.raises(NotImplementedError):
        hooks.drive(asyncio.sleep(0))


def state_files_are_found_by_signing_name() -> None:
    assert hooks.keys_of("s3") == {"s3"}
    for scope in ("sqs", "iam", "states", "events", "monitoring", "logs", "ec2", "glue", "dynamodb", "lambda"):
        assert hooks.keys_of(scope), scope


def zones_have_ids() -> None:
    assert hooks.zone_id("us-east-1b") == "use1-az2"


def nothing_is_run_at_its_start() -> None:
    assert hooks.app()._collect_scripts("/") == []


def a_body_on_disk_is_not_loaded_to_be_read() -> None:
    assert put("/lazy") == 200
    assert put("/lazy/k", b"0123456789") == 200
    record = hooks.s3()._buckets["lazy"]["objects"]["k"]
    assert record["body"] is None
    assert body_of("/lazy/k") == b"0123456789"
    hooks.LAZY.set(True)
    try:
        status, _, whole = call("GET", "/lazy/k")
        assert (status, type(whole), len(whole)) == (200, hooks.StoredBody, 10)
        status, headers, part = call("GET", "/lazy/k", range="bytes=2-4")
        assert (status, type(part), part.start, len(part)) == (206, hooks.StoredSlice, 2, 3)
        assert headers["Content-Range"] == "bytes 2-4/10"
    finally:
        hooks.LAZY.set(False)


def a_head_has_its_objects_length() -> None:
    put("/head"), put("/head/k", b"abc")
    status, headers, body = call("HEAD", "/head/k")
    assert (status, str(headers["Content-Length"]), body) == (200, "3", b"")


def buckets_with_the_names_of_its_own_pages_are_buckets() -> None:
    for name in ("health", "iceberg"):
        assert put(f"/{name}") == 200
        assert put(f"/{name}/k", b"x") == 200
        assert body_of(f"/{name}/k") == b"x"


def a_saved_state_is_in_its_own_format() -> None:
    put("/kept")
    hooks.save({"s3"})
    saved = hooks.persistence().load_state("s3")
    assert "kept" in str(saved)
    before = Path(os.environ["STATE_DIR"], "s3.json").stat().st_mtime_ns
    hooks.save({"s3"})
    assert Path(os.environ["STATE_DIR"], "s3.json").stat().st_mtime_ns == before  # nothing new, nothing written


def locks_of_objects_are_saved_too() -> None:
    state = hooks.s3().get_state()
    assert {"object_retention", "object_legal_hold"} <= set(state)


def key_pairs_are_answered_by_ours_and_kept_by_it() -> None:
    module = hooks.app()._get_module("ec2")
    for operation in ("CreateKeyPair", "ImportKeyPair", "DescribeKeyPairs", "DeleteKeyPair"):
        assert module._ACTION_MAP[operation].__module__ == "emrlab.region.key_pairs"
    hooks.pin("test", "us-east-1")
    assert module._ACTION_MAP["CreateKeyPair"]({"KeyName": ["kept"], "KeyType": ["ed25519"]})[0] == 200
    assert module.get_state()["key_pairs"].get("kept")["PublicKey"].startswith("ssh-ed25519 ")


def alarms_of_automatic_scaling_are_left_to_emr() -> None:
    module = hooks.app()._get_module("cloudwatch")
    module.record_metric("AWS/ElasticMapReduce", "IsIdle", 1.0)
    scaling = "arn:aws:autoscaling:us-east-1:1:scalingPolicy:2:resource/elasticmapreduce/instancegroup/j-1/ig-1"
    states = []
    for actions in ([], [scaling]):
        alarm = {"Namespace": "AWS/ElasticMapReduce", "MetricName": "IsIdle", "AlarmName": "a", "AlarmActions": actions}
        alarm |= {"StateValue": "OK", "Threshold": 0, "ComparisonOperator": "GreaterThanThreshold"}
        module._evaluate_alarm(alarm)
        states.append(alarm["StateValue"])
    assert states == ["ALARM", "OK"]


def refused(work: Callable[[], Any]) -> None:
    with pytest.raises(OSError, match="No space left"):
        work()


def on_a_full_disk(work: Callable[[], Any]) -> None:
    """``work`` while every write of S3's fails."""

    def fail(*arguments: Any, **more: Any) -> None:
        raise OSError(errno.ENOSPC, "full")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hooks.s3(), "_atomic_write", fail)
        refused(work)


def a_full_disk_leaves_the_object_that_was_there() -> None:
    put("/full"), put("/full/k", b"old")
    before = files()
    on_a_full_disk(lambda: put("/full/k", b"new"))
    on_a_full_disk(lambda: put("/full/other", b"new"))
    assert body_of("/full/k") == b"old"
    assert call("GET", "/full/other")[0] == 404
    assert files() == before
    assert put("/full/k", b"new") == 200
    assert body_of("/full/k") == b"new"


def a_full_disk_leaves_the_versions_that_were_there() -> None:
    put("/versions")
    on = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
    assert call("PUT", "/versions", on, {"versioning": [""]})[0] == 200
    put("/versions/k", b"one"), put("/versions/k", b"two")
    listed = call("GET", "/versions", query={"versions": [""]})[2]
    on_a_full_disk(lambda: put("/versions/k", b"three"))
    assert call("GET", "/versions", query={"versions": [""]})[2] == listed
    assert body_of("/versions/k") == b"two"


def a_full_disk_leaves_the_parts_of_an_upload() -> None:
    put("/parts")
    begun = call("POST", "/parts/k", query={"uploads": [""]})[2].decode()
    upload = begun.partition("<UploadId>")[2].partition("<")[0]
    _, headers, _ = call("PUT", "/parts/k", b"part", {"partNumber": ["1"], "uploadId": [upload]})
    etag = headers["ETag"]
    part = f"<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>"
    complete = f"<CompleteMultipartUpload>{part}</CompleteMultipartUpload>".encode()
    on_a_full_disk(lambda: call("POST", "/parts/k", complete, {"uploadId": [upload]}))
    assert call("GET", "/parts/k")[0] == 404
    assert call("POST", "/parts/k", complete, {"uploadId": [upload]})[0] == 200
    assert body_of("/parts/k") == b"part"


def room_for_the_description_is_needed_too() -> None:
    put("/room")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hooks, "SPARE", 1 << 62)
        refused(lambda: put("/room/k", b"x"))
    assert call("GET", "/room/k")[0] == 404


def a_cut_body_and_a_client_that_left_are_told_apart() -> None:
    async def leave() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def cut() -> dict[str, Any]:
        return {"type": "http.request", "body": b"5;chunk-signature=0\r\nhel", "more_body": False}

    assert asyncio.run(hooks.read_body(leave, "PUT", {"content-length": "5"})) is None
    coded = {"x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "x-amz-decoded-content-length": "5"}
    with pytest.raises(EOFError):
        asyncio.run(hooks.read_body(cut, "PUT", coded))


CHECKS: tuple[Callable[[], None], ...] = (
    names_are_there_with_their_parameters,
    settings_are_heard,
    a_key_of_twelve_digits_is_an_account_and_any_other_is_ours,
    it_starts_and_lives_until_it_is_cancelled,
    an_answer_that_would_wait_is_refused,
    state_files_are_found_by_signing_name,
    zones_have_ids,
    nothing_is_run_at_its_start,
    a_body_on_disk_is_not_loaded_to_be_read,
    a_head_has_its_objects_length,
    buckets_with_the_names_of_its_own_pages_are_buckets,
    a_saved_state_is_in_its_own_format,
    locks_of_objects_are_saved_too,
    key_pairs_are_answered_by_ours_and_kept_by_it,
    alarms_of_automatic_scaling_are_left_to_emr,
    a_full_disk_leaves_the_object_that_was_there,
    a_full_disk_leaves_the_versions_that_were_there,
    a_full_disk_leaves_the_parts_of_an_upload,
    room_for_the_description_is_needed_too,
    a_cut_body_and_a_client_that_left_are_told_apart,
)


def main() -> None:
    unhooked = names_are_there_with_their_parameters
    outcomes = {}
    for check in CHECKS:
        if check is not unhooked:
            hooks.install()  # twice is harmless
        try:
            check()
            outcomes[check.__name__] = ""
        except Exception:
            outcomes[check.__name__] = traceback.format_exc()
    print(json.dumps(outcomes))


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    home = Home(tmp_path_factory.mktemp("home"))
    env = {**os.environ, **hooks.settings(home, 4510, "123456789012", "us-east-1")}
    env["PYTHONPATH"] = str(Path(__file__).resolve().parents[2])
    done = subprocess.run([sys.executable, __file__], env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("check", [check.__name__ for check in CHECKS])
def test_contract(outcomes, check):
    assert outcomes[check] == "", outcomes[check]


def test_no_private_name_is_used_but_those_of_the_contract():
    trees = [ast.parse(Path(module.__file__).read_text()) for module in (hooks, key_pairs, scaling_alarms)]
    nodes = [one for tree in trees for one in ast.walk(tree)]
    private = {one.attr for one in nodes if isinstance(one, ast.Attribute) and re.match("_[a-z]", one.attr)}
    assert private - {"_emrlab"} <= {*APP, *S3, *EC2, *CLOUDWATCH, *EVENTS, *PERSISTENCE}


def test_ministack_is_pinned_exactly():
    pinned = [one for one in tomllib.loads(PYPROJECT.read_text())["project"]["dependencies"] if "ministack" in one]
    assert pinned == [f"ministack=={version('ministack')}"]


@pytest.mark.parametrize("name", ["AUTH", "LOCALSTACK_HOST", "SFN_MOCK_CONFIG", "LAMBDA_EXECUTOR", "MINISTACK_X"])
def test_what_another_localstack_is_told_is_not_heard(name):
    assert hooks.foreign([name, "PATH", "AUTHOR", "HOME", "AWS_PROFILE"]) == [name]


if __name__ == "__main__":
    main()
