"""The services emrlab borrows: ministack in this process, moto when one of its services is first called."""

from __future__ import annotations

import asyncio
import base64
import contextvars
import logging
import os
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ..errors import AwsError
from . import ministack_hooks as hooks
from . import ministack_iam as iam
from . import ministack_trails, policy_variables
from .keeper import Keeper
from .owners import Owner
from .protocol import CODES, Answer, Call, Request

log = logging.getLogger(__name__)
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
CHUNK = 1 << 20


class Borrowed:
    """ministack and moto behind one door. ``start`` before the first request, ``stop`` after the last."""

    def __init__(self) -> None:
        self.keeper = Keeper()
        self.tasks: list[asyncio.Task[None]] = []
        # One thread: S3 in ministack is not made for more, and hashing large bodies must not hold up everyone.
        self.s3_thread = ThreadPoolExecutor(1, thread_name_prefix="s3")
        self.moto: Callable[..., Awaitable[None]] | None = None

    async def start(self) -> None:
        """Restore what earlier runs saved."""
        hooks.install()
        iam.install()
        policy_variables.install()
        self.tasks = [await hooks.start(), asyncio.create_task(self.keeper.run())]

    async def stop(self) -> None:
        """Save everything."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.s3_thread.shutdown()
        await self.keeper.save(None)

    def account(self, access_key: str, region: str) -> str:
        """The account of an access key: the key itself if it has 12 digits, a role session's, else the default."""
        return contextvars.copy_context().run(hooks.pin, access_key, region)

    def arn(self, access_key: str, region: str) -> str:
        """Whose an access key of IAM's or STS's making is; empty when nobody knows."""
        _, found = contextvars.copy_context().run(ministack_trails.caller, access_key, region)
        return str(found["userArn"]) if found else ""

    async def call(self, owner: Owner, call: Call, request: Request, scope: Message, send: Send) -> None:
        """Hand a request whose body was read to its owner. Raises ``AwsError`` when its owner cannot do it."""
        sent = False

        async def receive() -> Message:
            nonlocal sent
            if sent:
                return {"type": "http.disconnect"}
            sent = True
            return {"type": "http.request", "body": request.body, "more_body": False}

        if owner is Owner.MINISTACK:
            await hooks.app().app(scope, receive, send)
            return
        if self.moto is None:
            self.moto = await asyncio.to_thread(load_moto)
        try:
            await self.moto(scope, receive, send)
        except NotImplementedError:
            raise unable(call) from None
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            log.exception("moto: %s of %s", call.operation, call.model)
            raise unable(call, f"{type(error).__name__}: {error}") from None

    async def s3_body(self, request: Request, receive: Receive) -> bytes | None:
        """The body of an S3 request, chunked uploads decoded; None when the client went away."""
        try:
            return await hooks.read_body(receive, request.method, request.headers)
        except EOFError as error:
            raise AwsError("IncompleteBody", str(error)) from None

    async def s3(self, request: Request, access_key: str, region: str, request_id: str) -> tuple[Answer, Any]:
        """An S3 request's answer, and its body if that is on disk, to be sent with ``stored``."""

        def work() -> tuple[int, dict[str, Any], Any]:
            hooks.pin(access_key, region)
            asked = (request.method, request.path, request.headers, request.body, request.query, request_id)
            if iam.CHECKED.get() and (refused := iam.s3_denied(*asked)):
                return refused
            hooks.LAZY.set(request.method == "GET")
            return hooks.s3_call(*asked)

        context = contextvars.copy_context()
        status, headers, body = await asyncio.get_running_loop().run_in_executor(self.s3_thread, context.run, work)
        plain = {name.lower(): str(value) for name, value in headers.items()}
        plain.setdefault("x-amz-request-id", request_id)
        plain.setdefault("x-amz-id-2", base64.b64encode(os.urandom(24)).decode())
        on_disk = isinstance(body, hooks.StoredBody | hooks.StoredSlice)
        content = b"" if on_disk else body.encode() if isinstance(body, str) else bytes(body)
        if request.method != "HEAD":
            plain.setdefault("content-length", str(len(body) if on_disk else len(content)))
        return Answer(status, plain, content), (body if on_disk else None)


def unable(call: Call, reason: str = "") -> AwsError:
    """What a borrowed service has no answer to: an operation it lacks or, with a ``reason``, what it was asked.

    Its crash is no 500: what crashes an emulation is nearly always a name that does not exist, which AWS answers with
    an error of the client's; and clients would ask again, four times, in vain.
    """
    codes = CODES[call.protocol]
    if not reason:
        return AwsError(codes.unknown, f"{call.operation} of {call.model} is not emulated here.")
    return AwsError(
        codes.constraint,
        f"The emulation of {call.model} cannot do {call.operation} with these parameters ({reason[:200]}). "
        "If they are right, this is a defect: the region's log has more.",
    )


async def stored(body: Any, send: Send) -> None:
    """Send an object's bytes from disk, a piece at a time."""
    part = body[:] if isinstance(body, hooks.StoredBody) else body
    rest = len(part)
    part.file.seek(part.start)
    while rest > 0:
        data = part.file.read(min(CHUNK, rest))
        if not data:
            raise OSError("the object's file became shorter while it was sent")
        rest -= len(data)
        await send({"type": "http.response.body", "body": data, "more_body": rest > 0})
    if not len(part):
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def load_moto() -> Callable[..., Awaitable[None]]:
    """moto's server as an ASGI application: 140 MB, so only when it is asked for."""
    from a2wsgi import WSGIMiddleware
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    backend: Any = DomainDispatcherApplication(create_backend_app)
    application: Any = WSGIMiddleware(backend, workers=4)
    found: Callable[..., Awaitable[None]] = application
    return found
