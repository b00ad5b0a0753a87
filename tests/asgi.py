"""One request to an ASGI application in this process, without sockets."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote


async def exchange(
    app: Any, method: str, path: str, headers: list[tuple[bytes, bytes]], body: bytes = b"", query: bytes = b""
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the answer. ``path``: as it is on the wire, quoted."""
    scope = {
        "type": "http",
        "method": method,
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query,
        "headers": headers,
        "client": ("127.0.0.1", 50000),
    }
    out: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def collect(message: Any) -> None:
        out.append(message)

    await app(scope, receive, collect)
    found = {name.decode(): value.decode("latin-1") for name, value in out[0]["headers"]}
    return out[0]["status"], found, b"".join(part["body"] for part in out[1:])
