"""A client of a SOCKS5 proxy: what a browser does behind ``aws emr socks``."""

from __future__ import annotations

import socket
import struct


def connected(port: int, host: str, to: int) -> tuple[socket.socket, int]:
    """A connection to ``host`` (resolved by the proxy) through ``port``, and the proxy's reply (0: it succeeded)."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    connection.sendall(b"\x05\x01\x00")
    assert connection.recv(2) == b"\x05\x00"
    connection.sendall(b"\x05\x01\x00\x03" + bytes([len(host)]) + host.encode() + struct.pack("!H", to))
    return connection, (connection.recv(10) + b"\xff\xff")[1]


def fetched(connection: socket.socket, path: str = "/") -> str:
    """What a web server answers over ``connection``, headers and all."""
    connection.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
    with connection.makefile() as answer:
        return answer.read()
