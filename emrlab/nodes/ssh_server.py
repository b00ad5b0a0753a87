"""A node's SSH server: ``python -m emrlab.nodes.ssh_server FOLDER ADDRESS IDLE DESCRIPTOR…``.

The descriptors are listening sockets, ``ssh_gate``'s. Who has a key in the node's ``authorized_keys`` is ``hadoop``
there: a shell, commands, files (SFTP, SCP), and tunnels to the cluster's addresses. It ends when nobody has been
connected for ``IDLE`` seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import logging
import os
import re
import shutil
import socket
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import asyncssh

from . import login
from .ssh_session import Session

log = logging.getLogger("sshd")
HOST_KEY = "etc/ssh/ssh_host_ed25519_key"
LAST_SECONDS = 0.5  # for who was connecting when nobody new is let in any more
CLUSTER_BITS = 24  # of an address: a cluster's nodes share them
PRIVATE_NAME = re.compile(r"ip-(\d+)-(\d+)-(\d+)-(\d+)(\..*)?", re.IGNORECASE)
ITSELF = ("", "localhost", "127.0.0.1", "::1")


class Here:
    """The node, and who is connected to it."""

    def __init__(self, folder: Path, address: str) -> None:
        self.folder, self.address = folder, address
        self.cluster = ipaddress.ip_network(f"{address}/{CLUSTER_BITS}", strict=False)
        self.connections = 0
        self.changed = asyncio.Event()

    def count(self, difference: int) -> None:
        self.connections += difference
        self.changed.set()

    def host_key(self) -> asyncssh.SSHKey:
        """The node's own: made when it is first needed."""
        file = self.folder / HOST_KEY
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            key = asyncssh.generate_private_key("ssh-ed25519", comment=f"{login.USER}@{self.address}")
            key.write_public_key(file.with_suffix(".pub"))
            temporary = file.with_suffix(".new")
            temporary.touch(mode=0o600)
            key.write_private_key(temporary)
            temporary.replace(file)
        return asyncssh.read_private_key(file)

    def reachable(self, host: str) -> str | None:
        """The address of ``host`` as this node sees it; None when it is not of this cluster."""
        if host.lower() in (*ITSELF, socket.gethostname().lower()):
            return self.address
        if named := PRIVATE_NAME.fullmatch(host):
            host = ".".join(named.groups()[:4])
        try:
            found = ipaddress.ip_address(host)
        except ValueError:
            return None
        return str(found) if found in self.cluster else None

    def mapped(self, path: bytes) -> bytes:
        """A path as a step's JAR is looked for: on the node's own disk first, then on this machine."""
        root = os.fsencode(self.folder)
        if not path.startswith(b"/") or path == root or path.startswith(root + b"/"):
            return path
        own = os.path.normpath(root + path)
        parent = os.path.dirname(own)
        if own.startswith(root + b"/") and (os.path.lexists(own) or (parent != root and os.path.isdir(parent))):
            return own
        return path


class Door(asyncssh.SSHServer):
    """One connection."""

    def __init__(self, here: Here) -> None:
        self.here = here
        self.connection: Any = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self.connection = conn
        self.here.count(1)

    def connection_lost(self, exc: Exception | None) -> None:
        self.here.count(-1)

    def begin_auth(self, username: str) -> bool:
        if username == login.USER:
            try:
                self.connection.set_authorized_keys(str(login.home(self.here.folder) / login.KEYS))
            except (OSError, ValueError) as error:
                log.warning("nobody is let in: %s", error)
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def connection_requested(
        self, dest_host: str, dest_port: int, orig_host: str, orig_port: int
    ) -> Coroutine[Any, Any, Any]:
        address = self.here.reachable(dest_host)
        if address is None:
            said = f"{dest_host} is not a node of this cluster"
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, said)
        forwarded: Coroutine[Any, Any, Any] = self.connection.forward_connection(address, dest_port)
        return forwarded


async def serve(here: Here, listeners: list[socket.socket], idle: float) -> None:
    """Return when nobody has been connected for ``idle`` seconds."""

    class Files(asyncssh.SFTPServer):
        def map_path(self, path: bytes) -> bytes:
            return here.mapped(path)

        def exit(self) -> None:
            self.channel.exit(0)  # without a status OpenSSH's scp takes it for failed

    servers = [
        await asyncssh.listen(
            sock=each,
            server_factory=lambda: Door(here),
            server_host_keys=[here.host_key()],
            process_factory=Session(here.folder, here.mapped).run,
            sftp_factory=Files,
            allow_scp=shutil.which("scp") is None,  # the system's own keeps files' modes
            encoding=None,
            line_editor=False,
            agent_forwarding=False,
        )
        for each in listeners
    ]
    while True:
        here.changed.clear()
        try:
            await asyncio.wait_for(here.changed.wait(), idle)
        except TimeoutError:
            if not here.connections:
                break
    for server in servers:
        server.close()
    await asyncio.sleep(LAST_SECONDS)
    while here.connections:
        here.changed.clear()
        await here.changed.wait()


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="emrlab.nodes.ssh_server")
    parser.add_argument("folder", type=Path)
    parser.add_argument("address")
    parser.add_argument("idle", type=float)
    parser.add_argument("descriptors", type=int, nargs="+")
    asked = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s[%(process)d] %(message)s")
    logging.getLogger("asyncssh.sftp").setLevel(logging.WARNING)
    listeners = [socket.socket(fileno=each) for each in asked.descriptors]
    asyncio.run(serve(Here(asked.folder, asked.address), listeners, asked.idle))
    logging.shutdown()
    os._exit(0)  # what a session has left running goes on, as after a logout


if __name__ == "__main__":
    main(sys.argv[1:])
