"""Every name of ministack that emrlab uses and ministack does not promise to keep.

``tests/region/test_ministack_hooks.py`` fails when one of them moves. ``settings`` must be in the environment before
anything else here is called: ministack reads it when imported.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import errno
import io
import json
import os
import re
import shutil
from collections.abc import Coroutine, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from ..home import Home
from . import key_pairs, scaling_alarms

# What somebody's own ministack or LocalStack may have been told by the environment, and ours must not hear.
FOREIGN = re.compile(
    r"AUTH|SERVICES|USE_SSL|EDGE_PORT|SMTP_HOST"
    r"|(?:MINISTACK|LOCALSTACK|LAMBDA|SFN|SFTP|IOT|CLOUDTRAIL|ATHENA|GLUE|CODEBUILD|REDIS|DOCKER)_\w+"
)


def foreign(names: Iterable[str]) -> list[str]:
    """Those ``names`` of environment variables that ministack would hear and ``settings`` does not set."""
    return [name for name in names if FOREIGN.fullmatch(name)]


def folder(home: Home) -> Path:
    """Where the borrowed services keep their state."""
    return home.region / "aws-services"


def settings(home: Home, port: int, account: str, region: str) -> dict[str, str]:
    """ministack's environment: loopback, our account, state in the home, no Docker, no listener of its own."""
    return {
        "MINISTACK_ACCOUNT_ID": account,
        "MINISTACK_REGION": region,
        "MINISTACK_HOST": "localhost",
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "PERSIST_STATE": "1",
        "STATE_DIR": str(folder(home)),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(folder(home) / "s3"),
        "DOCKER_HOST": "unix:///nonexistent/emrlab-uses-no-docker",
        "LOG_LEVEL": "WARNING",
    }


def app() -> ModuleType:
    from ministack import app as module

    return module


def persistence() -> ModuleType:
    from ministack.core import persistence as module

    return module


def s3() -> ModuleType:
    module: ModuleType = app()._get_module("s3")
    return module


def zone_id(zone: str) -> str:
    """The id that EC2 has here for an Availability Zone: ``us-east-1a`` → ``use1-az1``."""
    found: str = app()._get_module("ec2")._az_id_for_zone_name(zone)
    return found


def install() -> None:
    """Put the hooks in.

    Bodies of objects are read when asked for, more of S3 is kept, a full disk is an error, key pairs are real.
    """
    gate: Any = app()
    gate._collect_scripts = lambda *folders: []  # what a container would run at its start is not ours to run
    module: Any = s3()
    if getattr(module, "_emrlab", False):
        return
    module._emrlab = True
    load = gate._get_module

    def get_module(name: str) -> Any:
        """EC2's module has 20 MB: it is not loaded to be hooked, but hooked when it is loaded."""
        found = load(name)
        if name == "ec2":
            key_pairs.install(found)
        elif name == "cloudwatch":
            scaling_alarms.install(found)
        return found

    gate._get_module = get_module
    for name in ("object_retention", "object_legal_hold"):
        module._PERSISTED_BUCKET_DICTS[name] = getattr(module, f"_{name}")
    read = module._read_body

    def read_body(bucket: str, key: str, record: dict[str, Any]) -> bytes | StoredBody:
        if LAZY.get() and record.get("body") is None:
            path = module._object_disk_path(bucket, key)
            if path is not None and os.path.isfile(path):
                return StoredBody(path)
        body: bytes = read(bucket, key, record)
        return body

    module._read_body = read_body
    guard_writes(module)
    guard_uploads(module)


def guard_writes(module: Any) -> None:
    """A write that the disk refuses raises ``OSError``, and what was there before is there again.

    ministack logs it and goes on, with the object in memory alone.
    """
    record_version, persist, displace = (
        module._record_object_version,
        module._persist_object,
        module._persist_displaced_version,
    )
    before: dict[str, Any] = {}  # the write under way: S3 has one thread

    def undo(bucket: str, key: str) -> None:
        objects, versions = module._buckets[bucket]["objects"], module._object_versions
        if before["object"] is None:
            objects.pop(key, None)
            module._delete_persisted_object(bucket, key)
        else:
            objects[key] = before["object"]
        if before["versions"]:
            versions[bucket, key] = before["versions"]
        else:
            versions.pop((bucket, key), None)

    def guarded_version(bucket: str, key: str, prior: Any, record: Any, data: bytes) -> Any:
        versions = [dict(one) for one in module._object_versions.get((bucket, key)) or ()]
        before.update(record=record, object=prior, versions=versions)
        try:
            need(len(data))
            return record_version(bucket, key, prior, record, data)
        except OSError:
            undo(bucket, key)
            raise

    def guarded_persist(bucket: str, key: str, record: Any) -> None:
        persist(bucket, key, record)
        if isinstance(record, dict) and record.get("body") is not None:
            if record is before.get("record"):
                undo(bucket, key)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        before.clear()

    def guarded_displace(bucket: str, key: str, prior: Any, versioning: str) -> None:
        displace(bucket, key, prior, versioning)
        name = (prior or {}).get("version_id") or "null"
        kept = prior is None or (versioning == "Suspended" and name == "null")
        if not kept and not module._version_file_exists(bucket, key, name):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def need(size: int) -> None:
        """The body alone may fit, and then the file that describes it not."""
        if shutil.disk_usage(persistence().STATE_DIR).free < size + SPARE:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    module._record_object_version, module._persist_object = guarded_version, guarded_persist
    module._persist_displaced_version = guarded_displace


def guard_uploads(module: Any) -> None:
    """A multipart upload that the disk refuses can be completed later: its parts are still good."""
    complete = module._complete_multipart_upload

    def guarded(bucket: str, key: str, body: bytes, query: Any, *more: Any) -> Any:
        uploads = module._multipart_uploads
        begun = {name: uploads[name] for name in query.get("uploadId", ()) if name in uploads}
        try:
            return complete(bucket, key, body, query, *more)
        except OSError:
            for name, upload in begun.items():
                uploads[name] = upload
            raise

    module._complete_multipart_upload = guarded


class StoredBody:
    """An object's bytes on disk, read by slices: a ranged GET must not load the whole object."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.file = open(path, "rb")  # noqa: SIM115  # open now: the object may be replaced while it is sent
        self.size = os.fstat(self.file.fileno()).st_size

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, part: slice) -> StoredSlice:
        start, stop, _ = part.indices(self.size)
        return StoredSlice(self.file, start, max(0, stop - start))


class StoredSlice:
    """A part of a file, read when it is sent."""

    def __init__(self, file: io.BufferedReader, start: int, length: int) -> None:
        self.file, self.start, self.length = file, start, length

    def __len__(self) -> int:
        return self.length


# Bytes that stay free on the disk beside an object: its description, and the services' state.
SPARE = 1 << 20
LAZY: contextvars.ContextVar[bool] = contextvars.ContextVar("LAZY", default=False)


async def start() -> asyncio.Task[None]:
    """Restore what was saved and start the schedulers. The task lives as long as the services do."""
    Path(persistence().STATE_DIR).mkdir(parents=True, exist_ok=True)
    started = asyncio.get_running_loop().create_future()
    messages: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    messages.put_nowait({"type": "lifespan.startup"})

    async def send(message: dict[str, str]) -> None:
        if message["type"] == "lifespan.startup.complete":
            started.set_result(None)

    # Its shutdown message is never sent: that imports services to stop them. `save` does what counts.
    task: asyncio.Task[None] = asyncio.create_task(app().app({"type": "lifespan"}, messages.get, send))
    await asyncio.wait({task, started}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        task.result()
    return task


def keys_of(service: str) -> set[str]:
    """The state files of a service, by its name in ministack's registry (mostly its signing name)."""
    module = app()
    name = module.SERVICE_NAME_ALIASES.get(service, service)
    config = module.SERVICE_REGISTRY.get(name, {})
    modules = {config.get("module"), *config.get("sub_modules", ())}
    return {key for key, module_name in module._state_map.items() if module_name in modules}


def save(keys: Iterable[str] | None = None) -> None:
    """Write the state of ``keys`` (default: of all services in use), each file atomically.

    Raises what went wrong first, after all others are written. Runs beside the services: when one changes its state
    under our hands, it is read again.
    """
    theirs = persistence()
    states = app()._build_persistence_save_dict()
    target = Path(theirs.STATE_DIR)
    target.mkdir(parents=True, exist_ok=True)
    failures = []
    for key in states if keys is None else sorted(set(keys) & set(states)):
        try:
            text = snapshot(states[key], theirs._state_format_version(key), theirs._json_default)
            if text is None or WRITTEN.get(key) == hash(text):
                continue
            file = target / f"{key}.json"
            temporary = file.with_suffix(".json.tmp")
            temporary.write_text(text)
            temporary.replace(file)
            WRITTEN[key] = hash(text)
        except Exception as error:
            failures.append(error)
    if failures:
        raise failures[0]


WRITTEN: dict[str, int] = {}


def snapshot(get_state: Any, version: int, default: Any) -> str | None:
    """A service's state in ministack's file format; None when it has none."""
    for attempt in range(20):
        try:
            state = get_state()
            if state is None:
                return None
            return json.dumps({"__ministack_format__": version, "payload": state}, default=default)
        except RuntimeError:  # a dictionary changed while it was read
            if attempt == 19:
                raise
    return None


def pin(access_key: str, region: str) -> str:
    """Set account and region for the services called in this context; the account."""
    from ministack.core import responses

    responses.set_request_account_id(app()._request_account_scope(access_key))
    responses.set_request_region(region)
    responses.set_request_client_ip("127.0.0.1")
    account: str = responses.get_account_id()
    return account


def put_event(account: str, region: str, entry: dict[str, Any]) -> None:
    """Put an event of an AWS service onto the default bus, for its rules' targets. Call it in a context of its own."""
    pin(account, region)
    module: Any = app()._get_module("eventbridge")
    module._put_events({"Entries": [entry]}, allow_aws_source=True)
    del module._events_log_list()[:-EVENTS_KEPT]  # ministack keeps all, for nobody


EVENTS_KEPT = 1000


def s3_call(
    method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, list[str]], request_id: str
) -> tuple[int, dict[str, Any], Any]:
    """One S3 request, without ministack's routing (which takes buckets named `health` or `iceberg` for its own)."""
    module, gate = s3(), app()
    status, answer, content = drive(module.handle_request(method, path, headers, body, query))
    if method == "HEAD" and module.is_standard_object_request(method, path, headers, query):
        status, answer, content = module.format_head_response(path, headers, (status, answer, content))
    gate.fix_error_content_type("s3", status, answer)
    region = gate.extract_region(headers, query)
    gate._maybe_record_cloudtrail("s3", method, path, headers, body, query, request_id, region)
    return status, answer, content


def drive(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that never waits, as S3's."""
    with contextlib.closing(coroutine):
        try:
            coroutine.send(None)
        except StopIteration as done:
            return done.value
    raise NotImplementedError("S3 Object Lambda is not emulated")


async def read_body(receive: Any, method: str, headers: dict[str, str]) -> bytes | None:
    """The request's body, chunked uploads decoded; None when the client went away, ``EOFError`` when it is cut."""
    gate = app()
    try:
        body: bytes = await gate._read_request_body(receive, method, headers)
    except gate._RequestBodyDisconnected:
        return None
    except gate._IncompleteRequestBody as error:
        raise EOFError(str(error)) from error
    return body
