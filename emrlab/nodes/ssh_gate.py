"""A node's SSH ports. The server behind them (``ssh_server``) is started for the first who comes, and ends when idle.

It takes 30 to 45 MB, which a node that nobody logs in to should not cost: the ports are held here, and handed on.
"""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import subprocess
import sys
import threading

from . import login
from .node import Node

log = logging.getLogger(__name__)
# SSH's own port where this user may have it, and one that everybody may.
PORTS = (22, 2222)
IDLE_SECONDS = 60.0  # that the server stays when the last one has left
WAITING = 64  # connections that wait for the server to start
LOG = "secure"


class Gate(threading.Thread):
    """Waits at ``sockets`` until the node stops. The server is a process of the node."""

    def __init__(self, node: Node, sockets: list[socket.socket]) -> None:
        super().__init__(name=f"ssh {node.name}", daemon=True)
        self.node, self.sockets = node, sockets
        self.server: subprocess.Popen[bytes] | None = None
        self._closed = threading.Event()

    def run(self) -> None:
        callers = select.poll()
        for each in self.sockets:
            callers.register(each, select.POLLIN)
        with contextlib.ExitStack() as stack:
            for each in self.sockets:
                stack.enter_context(each)
            while not self._closed.is_set():
                callers.poll()
                if not self._closed.is_set() and self._serve():
                    self._turn_away()

    def close(self) -> None:
        """No more logins. The server itself is ended with the node's other processes."""
        self._closed.set()
        for each in self.sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)  # wakes who polls it

    def _serve(self) -> int:
        """Start the server, wait until it ends; its exit status."""
        descriptors = [each.fileno() for each in self.sockets]
        about = (self.node.folder, self.node.address, IDLE_SECONDS, *descriptors)
        # -P: what lies in the home folder, where it runs, is not to be imported.
        command = [sys.executable, "-P", "-m", "emrlab.nodes.ssh_server", *map(str, about)]
        try:
            with self.node.path("var", "log", LOG).open("ab") as out:
                self.server = self.node.run(command, pass_fds=descriptors, stdout=out, stderr=out)
        except OSError as error:  # the node is stopped, or the disk full
            log.warning("no SSH to %s: %s", self.node.name, error)
            return 1
        return self.server.wait()

    def _turn_away(self) -> None:
        """The server cannot be started: whoever waits for it learns so, and may try again."""
        for each in self.sockets:
            with contextlib.suppress(OSError):
                each.setblocking(False)
                while True:
                    each.accept()[0].close()


def open_gate(node: Node, public_key: str) -> Gate | None:
    """Let who holds the other half of ``public_key`` log in to ``node`` until it stops; None where no port is free.

    Raises ``OSError`` when the key cannot be written.
    """
    login.allow(node.folder, public_key)
    sockets = [found for port in PORTS if (found := listener(node.address, port))]
    if not sockets:
        log.warning("no SSH to %s: ports %s are taken", node.name, " and ".join(map(str, PORTS)))
        return None
    gate = Gate(node, sockets)
    node.farewells.append(gate.close)
    gate.start()
    return gate


def listener(address: str, port: int) -> socket.socket | None:
    """A socket that listens; None when the port is taken, or not for this user."""
    found = socket.socket()
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((address, port))
        found.listen(WAITING)
    except OSError:
        found.close()
        return None
    return found
