"""The AWS endpoint: every request is read, checked against botocore's model, and handed to its service's one owner."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar
from urllib.parse import unquote

from ..context import Demand, RequestContext
from ..errors import AwsError
from ..home import Home
from . import app_ui, authorisation, costs, ministack_hooks, owners, protocol, spot_history, studio_page
from .answers import answer, begin, shaped
from .audit import Audit, Note
from .borrowed import Borrowed, Message, Receive, Send, stored
from .control import COSTS, HEALTH
from .default_roles import SCOPES, DefaultRoles
from .owners import Owner, Service
from .protocol import Answer, Call, Request

log = logging.getLogger(__name__)
T = TypeVar("T")
SIGNED = re.compile(r"AWS4-HMAC-SHA256 .*?Credential=([^/,\s]+)/(\d{8})/([^/,\s]+)/([^/,\s]+)/aws4_request")
HOSTS = re.compile(r"(?:127\.0\.0\.1|\[::1\]|localhost|[\w.-]+\.localhost)(?::\d+)?")
READS = re.compile(r"(?:Batch)?(?:Get|List|Describe|Head|Lookup|Search|Simulate|Query|Scan|Filter|Test|Preview)")
EMR = "elasticmapreduce"
LARGEST = 100_000_000
WORKERS = 16
# S3 operations whose bodies are a learner's data: never looked at.
DATA = {"PutObject", "UploadPart"}


class Emr(Protocol):
    """What the gateway needs of ``emrlab.emr.service.EmrService``."""

    history: Any

    def call(self, operation: str, params: dict[str, Any], context: RequestContext) -> dict[str, Any]: ...

    def user_interface(self, token: str) -> str | None: ...

    def demands(self, operation: str, params: dict[str, Any], context: RequestContext) -> Sequence[Demand]: ...


@dataclass(frozen=True)
class Identity:
    """Who signed, for where and what."""

    access_key: str
    region: str
    scope: str


class Gateway:
    """The ASGI application. ``about``: what the health path tells. ``emr`` is None until it has started."""

    def __init__(
        self,
        home: Home,
        about: dict[str, Any],
        emr: Emr | None,
        borrowed: Borrowed,
        roles: DefaultRoles | None = None,
    ) -> None:
        self.home = home
        self.about = {"home": str(home.root), **about}
        self.emr = emr
        self.borrowed = borrowed
        self.roles = roles
        self.audit: Audit | None = None  # records for CloudTrail
        self.workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="emr")

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            raise RuntimeError(f"the gateway does not speak {scope['type']}")
        request_id = str(uuid.uuid4())
        request = read(scope)
        if request.method in ("GET", "HEAD") and (page := await self.page(request)):
            await answer(send, page, request_id)
            return
        service: Service | None = None
        note = Note(request, request_id, scope.get("client"))
        if self.audit:
            send = note.listening(send)
        try:
            who = note.who = identity(request)
            service = note.service = owners.service(who.scope)
            if service is None:
                known = ", ".join(sorted(owners.SERVICES))
                raise AwsError(
                    "UnknownOperationException",
                    f"The service '{who.scope}' is not emulated here. These are: {known}.",
                )
            await self.serve(service, who, request, request_id, scope, receive, send)
        except AwsError as failure:
            await refuse(send, service, request, failure, request_id)
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("request %s failed: %s %s", request_id, request.method, request.path)
            code = "InternalServerException" if service and service.owner is Owner.EMRLAB else "InternalError"
            crash = AwsError(code, f"emrlab failed on this request; its log has the reason under {request_id}.", 500)
            await refuse(send, service, request, crash, request_id)
        finally:
            if self.audit:
                self.audit.take(note)

    async def page(self, request: Request) -> Answer | None:
        """What the region answers under paths of its own, where nobody signs; None for any other path."""
        path = request.path
        if path == HEALTH:
            return Answer(200, {"content-type": "application/json"}, json.dumps(self.about).encode())
        if path.startswith(app_ui.PREFIX):
            return app_ui.lead(path, self.user_interface(request))
        if path.startswith(COSTS) and here(request):
            return await self.in_worker(costs.answer, self.home, self.emr, path)
        if path.startswith(studio_page.PREFIX) and here(request):
            return await self.in_worker(studio_page.answer, self.emr, path)
        return None

    def user_interface(self, request: Request) -> app_ui.Target:
        """Who knows where a presigned URL leads; nobody for a page of elsewhere that calls itself this machine."""
        here = HOSTS.fullmatch(request.headers.get("host", "localhost"))
        return self.emr.user_interface if self.emr and here else lambda token: None

    async def serve(
        self,
        service: Service,
        who: Identity,
        request: Request,
        request_id: str,
        scope: Message,
        receive: Receive,
        send: Send,
    ) -> None:
        checked = authorisation.check(who.access_key, service.scope, scope, request)
        if service.scope == "s3":
            await self.serve_s3(service, who, request, request_id, receive, send)
            return
        body = await whole(receive)
        if body is None:
            return
        request.body = body
        call = protocol.identify(service, request)
        params = protocol.parse(call, request, strict=service.owner is Owner.EMRLAB)
        if service.scope in SCOPES:
            await self.provide(who)
        if service.owner is Owner.EMRLAB:
            context = RequestContext(
                account=self.borrowed.account(who.access_key, who.region),
                region=who.region,
                access_key=who.access_key,
                request_id=request_id,
                user_agent=request.headers.get("user-agent", ""),
                source_ip=(scope.get("client") or ("127.0.0.1",))[0],
                headers=request.headers,
                arn=self.borrowed.arn(who.access_key, who.region) if checked else "",
            )
            await answer(send, await self.own(call, params, context, request if checked else None), request_id)
            return
        spot = (call.model, call.operation) == spot_history.OPERATION
        if checked and (service.owner is Owner.MOTO or spot):
            # Its resources nobody here can name: only policies for all of them fit.
            demands = [Demand(f"{service.scope}:{call.operation}")]
            authorisation.demand(demands, who.access_key, service.scope, who.region, request)
        if spot:
            told = await self.in_worker(spot_history.answer, self.home, call, params, who.region, request_id)
            await answer(send, told, request_id)
            return
        await self.borrowed.call(service.owner, call, request, scope, shaped(send, call, request_id))
        if changes(request, call):
            self.borrowed.keeper.touch(service.scope)

    async def provide(self, who: Identity) -> None:
        """EMR's default roles, when an account is first seen."""
        if self.roles and self.roles.make(self.borrowed.account(who.access_key, who.region)):
            await self.borrowed.keeper.save({"iam"})
            self.roles.remember()

    async def own(
        self, call: Call, params: dict[str, Any], context: RequestContext, signed: Request | None = None
    ) -> Answer:
        """An operation of ours, in a worker thread: it may take its time. ``signed``: whose signer has policies."""
        emr = self.emr
        if emr is None:
            raise AwsError("InternalServerException", "EMR is still starting. Ask again in a moment.", 503)
        loop = asyncio.get_running_loop()
        if signed is not None:
            demands = await loop.run_in_executor(self.workers, emr.demands, call.operation, params, context)
            authorisation.demand(demands, context.access_key, EMR, context.region, signed)
        result = await loop.run_in_executor(self.workers, emr.call, call.operation, params, context)
        return protocol.json_answer(call, result)

    async def in_worker(self, work: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self.workers, work, *arguments)

    async def serve_s3(
        self, service: Service, who: Identity, request: Request, request_id: str, receive: Receive, send: Send
    ) -> None:
        virtual_host(request)
        call = protocol.identify(service, request)
        body = await self.borrowed.s3_body(request, receive)
        if body is None:
            return
        request.body = b"" if call.operation in DATA else body
        protocol.parse(call, request, strict=False)
        request.body = body
        try:
            reply, content = await self.borrowed.s3(request, who.access_key, who.region, request_id)
            if changes(request, call) and reply.status < 300:
                if "Key" not in call.labels:
                    # Buckets, their configuration: on disk before the client hears of it, as objects are.
                    await self.borrowed.keeper.save({"s3"})
                # An object's lock, and what its notifications did elsewhere.
                self.borrowed.keeper.touch("s3")
        except OSError as error:
            log.error("%s of %s failed: %s", call.operation, request.path, error)
            raise AwsError(
                "InsufficientStorage",
                f"The region's disk refused this ({error.strerror or error}). Free some space, then try again.",
                507,
            ) from error
        if content is None:
            await answer(send, reply, request_id)
        else:
            await begin(send, reply, request_id)
            await stored(content, send)


def read(scope: Message) -> Request:
    """The request without its body; a header that comes twice is joined by commas."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value
        try:
            text = value.decode("utf-8")
        except UnicodeDecodeError:
            text = value.decode("latin-1")
        headers[name] = f"{headers[name]}, {text}" if name in headers else text
    raw_path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
    return Request(scope["method"], scope["path"], raw_path, protocol.query_of(scope.get("query_string", b"")), headers)


def identity(request: Request) -> Identity:
    """Who signed the request, from its header or its presigned URL. Raises ``AwsError`` when nobody did."""
    if not here(request):
        raise AwsError("AccessDenied", "The region answers to 127.0.0.1 and localhost only: use its endpoint.", 403)
    if found := SIGNED.match(request.headers.get("authorization", "")):
        return Identity(found[1], found[3], found[4])
    parts = unquote(next(iter(request.query.get("X-Amz-Credential", [])), "")).split("/")
    if len(parts) == 5 and parts[4] == "aws4_request" and "X-Amz-Signature" in request.query:
        return Identity(parts[0], parts[2], parts[3])
    if request.headers.get("authorization") or "AWSAccessKeyId" in request.query:
        raise AwsError("IncompleteSignature", "Only Signature Version 4 is understood: use a current AWS client.", 403)
    raise AwsError(
        "MissingAuthenticationToken",
        'This request is not signed. Use an AWS client; in a shell first: eval "$(emrlab env)"',
        403,
    )


def here(request: Request) -> bool:
    """Whether the client knows where it is: a page from elsewhere may have led a browser here by a name of its own."""
    return HOSTS.fullmatch(request.headers.get("host", "localhost")) is not None


def virtual_host(request: Request) -> None:
    """``bucket.localhost`` as the bucket's first path segment."""
    host = request.headers.get("host", "").partition(":")[0]
    if host.endswith(".localhost"):
        bucket = re.sub(r"(\.s3(\.[\w-]+)?)?\.localhost$", "", host)
        if bucket and bucket != "s3":
            request.path, request.raw_path = f"/{bucket}{request.path}", f"/{bucket}{request.raw_path}"


def changes(request: Request, call: Call) -> bool:
    """Whether the operation may have changed something."""
    return request.method not in ("GET", "HEAD") and not READS.match(call.operation)


async def whole(receive: Receive) -> bytes | None:
    """The request's body; None when the client went away."""
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > LARGEST:
            raise AwsError("RequestEntityTooLarge", f"A request may have {LARGEST} bytes.", 413)
        if not message.get("more_body"):
            return b"".join(parts)


async def refuse(send: Send, service: Service | None, request: Request, failure: AwsError, request_id: str) -> None:
    """``failure`` in the shape the client's protocol has for errors."""
    spoken = protocol.dialect(service, request)
    s3 = service is not None and service.scope == "s3"
    if service is None and "authorization" not in request.headers and "x-amz-target" not in request.headers:
        spoken, s3 = "rest-xml", True  # a browser, or an S3 client without credentials
    head = request.method == "HEAD"
    await answer(send, protocol.error(spoken, failure, request_id, s3, request.path, head), request_id)


def build_app(
    home: Home,
    endpoint: str,
    emr: Emr | None,
    borrowed: Borrowed | None = None,
    roles: DefaultRoles | None = None,
    **about: Any,
) -> Gateway:
    """The endpoint's ASGI application. ``about``: what the health path tells besides home and endpoint."""
    return Gateway(home, {"endpoint": endpoint, **about}, emr, borrowed or Borrowed(), roles)


__all__ = ["Gateway", "build_app", "ministack_hooks"]
