"""Addresses: each cluster has a /24 of loopback to itself, each node one address in it with EMR's own ports."""

from __future__ import annotations

import hashlib
import socket
import sys
from collections.abc import Iterator

from ..errors import LabError

# 127.64.0.0 to 127.127.255.0: away from what systems use (127.0.0.x, systemd's 127.0.0.53, Debian's 127.0.1.1).
FIRST, COUNT = 64, 64 * 256
# Whoever holds this port of a range's last address owns the range. The kernel gives it back when the owner dies.
CLAIM = ("254", 4509)
HOSTS = range(10, 250)


class NoAddress(LabError):
    """All addresses that there are for this have been used."""


class Range:
    """A claimed range: ``127.x.y``. ``release`` it when the cluster is gone."""

    def __init__(self, prefix: str, claim: socket.socket) -> None:
        self.prefix = prefix
        self._claim = claim
        self._next = iter(HOSTS)

    def take(self) -> str:
        """An address that no node of the range has had. Raises ``LabError`` when all 240 are used."""
        for host in self._next:
            return f"{self.prefix}.{host}"
        most = f"The cluster has had {len(HOSTS)} nodes, the most a cluster can have here. Launch another one."
        raise NoAddress(most)

    def release(self) -> None:
        self._claim.close()


def claim(key: str) -> Range:
    """A range nobody else uses. ``key`` chooses where the search begins, so that homes rarely meet.

    Raises ``LabError`` where loopback has one address only (macOS), or all ranges are taken.
    """
    if sys.platform != "linux":
        raise LabError("Nodes need addresses 127.x.y.z of their own, which Linux has (on Windows: WSL 2; or Binder).")
    for prefix in prefixes(key):
        taken = socket.socket()
        try:
            taken.bind((f"{prefix}.{CLAIM[0]}", CLAIM[1]))
        except OSError:
            taken.close()
            continue
        return Range(prefix, taken)
    raise NoAddress("All address ranges of this machine are taken. End some clusters: emrlab status")


def prefixes(key: str) -> Iterator[str]:
    start = int(hashlib.sha256(key.encode()).hexdigest()[:8], 16)
    for number in range(COUNT):
        place = (start + number) % COUNT
        yield f"127.{FIRST + place // 256}.{place % 256}"


def private_name(address: str) -> str:
    """A node's private DNS name, as EC2 in us-east-1 makes them: ``ip-127-64-0-10.ec2.internal``."""
    return f"ip-{address.replace('.', '-')}.ec2.internal"
