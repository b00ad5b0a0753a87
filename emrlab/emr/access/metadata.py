"""Each node's instance metadata service, versions 1 and 2 ("Use the Instance Metadata Service to access instance
metadata"): one thread for all nodes, at the same port of every node's own address.

169.254.169.254 cannot be had without root, so a node's environment says where its service is.
"""

from __future__ import annotations

import contextlib
import json
import logging
import queue
import secrets
import selectors
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

from ...errors import AwsError
from ...nodes.node import Node
from ..aws import Unanswered
from ..records import Cluster, Instance, Record
from . import instance_data, roles, security

if TYPE_CHECKING:
    from ..service import EmrService

log = logging.getLogger(__name__)
PORT = 1338
WORKERS = 4
TOKEN_SECONDS = 21600  # the longest a session may last
FRESH_SECONDS = 1200  # credentials with less to live are replaced: SDKs renew a quarter of an hour before the end
READ_SECONDS = 5.0  # for a client to say what it wants


def environment(node: Node, keys: tuple[str, str] | None) -> dict[str, str]:
    """Where a node's AWS clients find its metadata; and the ``keys`` they sign with, or none: they take its role's."""
    key, secret = keys or ("", "")
    return {
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": f"http://{node.address}:{PORT}",
        "AWS_EC2_METADATA_DISABLED": "false",
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_SESSION_TOKEN": "",
        # The region's has keys too, which would come before the role's.
        "AWS_SHARED_CREDENTIALS_FILE": str(node.path("home", "hadoop", ".aws", "credentials")),
    }


class Metadata:
    """Serves the instances that the history gets, until they are over. Its thread starts with the first."""

    def __init__(self, service: EmrService) -> None:
        self.service = service
        self.history = service.history
        self.changes: queue.SimpleQueue[Instance | None] = queue.SimpleQueue()
        self.instances: dict[str, str] = {}  # address → the instance's id
        self.tokens: dict[str, tuple[str, float]] = {}  # token → address, until when
        self.sessions: dict[str, roles.Session] = {}  # by EC2 instance id
        self.lock = threading.Lock()
        self.reading, self.writing = socket.socketpair()
        self.thread: threading.Thread | None = None
        self.history.watchers.append(self.note)

    def note(self, record: Record, before: str | None) -> None:
        """A watcher of the history."""
        if not isinstance(record, Instance) or not record.address:
            return
        if before is None or (record.over and before != record.state):
            self.tell(record)

    def tell(self, instance: Instance | None) -> None:
        self.changes.put(instance)
        if self.thread is None and instance is not None:
            self.thread = threading.Thread(target=self.serve, name="metadata", daemon=True)
            self.thread.start()
        with contextlib.suppress(OSError):
            self.writing.send(b".")

    def stop(self) -> None:
        with contextlib.suppress(ValueError):
            self.history.watchers.remove(self.note)
        self.tell(None)
        if self.thread is not None:
            self.thread.join(READ_SECONDS)
        self.reading.close()
        self.writing.close()

    # The thread

    def serve(self) -> None:
        with selectors.DefaultSelector() as selector, ThreadPoolExecutor(WORKERS, "metadata") as pool:
            selector.register(self.reading, selectors.EVENT_READ)
            listeners: dict[str, socket.socket] = {}
            while True:
                for key, _ in selector.select():
                    if key.fileobj is not self.reading:
                        with contextlib.suppress(OSError):
                            connection, peer = key.fileobj.accept()  # type: ignore[union-attr]
                            pool.submit(self.talk, connection, peer)
                        continue
                    self.reading.recv(4096)
                    while not self.changes.empty():
                        instance = self.changes.get()
                        if instance is None:
                            for one in listeners.values():
                                one.close()
                            return
                        self.change(instance, listeners, selector)

    def change(self, instance: Instance, listeners: dict[str, socket.socket], selector: selectors.BaseSelector) -> None:
        """Open the door of a new instance, close that of one that is over."""
        address = instance.address
        if instance.over:
            self.instances.pop(address, None)
            self.sessions.pop(instance.ec2, None)
            if listener := listeners.pop(address, None):
                selector.unregister(listener)
                listener.close()
            return
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((address, PORT))
            listener.listen(64)
        except OSError as error:
            listener.close()
            log.error("%s has no instance metadata: %s", instance.ec2, error)
            return
        listener.setblocking(False)
        self.instances[address] = instance.id
        listeners[address] = listener
        selector.register(listener, selectors.EVENT_READ)

    def talk(self, connection: socket.socket, peer: Any) -> None:
        with connection:
            connection.setblocking(True)
            connection.settimeout(READ_SECONDS)
            try:
                Handler(connection, peer, self)  # type: ignore[arg-type]  # it needs nothing of a server
            except OSError:
                pass  # the client went away
            except Exception:
                log.exception("instance metadata")

    # What is asked for

    def token(self, address: str, seconds: int) -> str:
        now = time.monotonic()
        made = secrets.token_urlsafe(42)
        with self.lock:
            self.tokens = {one: about for one, about in self.tokens.items() if about[1] > now}
            self.tokens[made] = (address, now + seconds)
        return made

    def fits(self, token: str, address: str) -> bool:
        owner, until = self.tokens.get(token, ("", 0.0))
        return owner == address and until > time.monotonic()

    def instance(self, address: str) -> tuple[Cluster, Instance] | None:
        found = self.history.get(Instance, self.instances.get(address, ""))
        cluster = self.history.get(Cluster, found.cluster) if found else None
        return (cluster, found) if cluster and found and not found.over else None

    def needs_token(self, cluster: Cluster) -> bool:
        """Whether the cluster's security configuration turns version 1 off."""
        asked = security.settings(self.history, cluster).get("InstanceMetadataServiceConfiguration") or {}
        return bool(asked.get("MinimumInstanceMetadataServiceVersion") == 2)

    def profile(self, cluster: Cluster) -> roles.Profile | None:
        name = cluster.ec2.get("IamInstanceProfile")
        if not name:
            return None
        try:
            found = roles.profile(self.service.endpoint, cluster.account, name)
        except AwsError as error:
            log.error("the role of %s: %s", cluster.id, error)
            return None
        return found if found and found.role else None

    def credentials(self, cluster: Cluster, instance: Instance, profile: roles.Profile) -> str:
        """The role's credentials for one instance: the session it has, or a new one when that is about to end."""
        with self.lock:
            session = self.sessions.get(instance.ec2)
            if session is None or session.role != profile.role_arn or session.left < FRESH_SECONDS:
                try:
                    session = roles.assume(self.service.endpoint, cluster.account, profile.role_arn, instance.ec2)
                except Unanswered as error:
                    log.warning("%s cannot assume %s: %s", instance.ec2, profile.role_arn, error)
                    return refusal(profile.role_arn)
                self.sessions[instance.ec2] = session
        return instance_data.credentials(session)

    def answer(self, address: str, path: str) -> str | None:
        """What is at ``path`` below ``latest``; None: nothing."""
        if (found := self.instance(address)) is None:
            return None
        cluster, instance = found
        names = [name for name in path.split("/") if name]
        profile = self.profile(cluster) if names[:2] in (["meta-data"], ["meta-data", "iam"]) else None
        place: Any = instance_data.tree(cluster, instance, profile)
        for name in names:
            if not isinstance(place, dict) or name not in place:
                return None
            place = place[name]
        if isinstance(place, dict):
            return instance_data.listing(place)
        if profile and names[1:3] == ["iam", "security-credentials"]:
            return self.credentials(cluster, instance, profile)
        return str(place)


def refusal(role: str) -> str:
    """What a role tells that does not trust EC2."""
    return json.dumps(
        {
            "Code": "AssumeRoleUnauthorizedAccess",
            "Message": f"EC2 cannot assume the role {role}.  Please see documentation at "
            "https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_iam-ec2.html#troubleshoot_iam-ec2_errors-info-doc.",
            "LastUpdated": instance_data.stamp(time.time()),
        },
        indent=2,
    )


class Handler(BaseHTTPRequestHandler):
    """One request. ``server`` is a ``Metadata``; whose metadata are asked for, the address says that it came to."""

    server_version, sys_version = "EC2ws", ""
    TTL, TOKEN = "X-aws-ec2-metadata-token-ttl-seconds", "X-aws-ec2-metadata-token"

    @property
    def metadata(self) -> Metadata:
        return self.server  # type: ignore[return-value]

    @property
    def address(self) -> str:
        return str(self.connection.getsockname()[0])

    def do_PUT(self) -> None:
        if self.path.rstrip("/") != "/latest/api/token":
            return self.say(405)
        if "X-Forwarded-For" in self.headers:
            return self.say(403)
        seconds = self.headers.get(self.TTL, "")
        if not seconds.isdigit() or not 1 <= int(seconds) <= TOKEN_SECONDS:
            return self.say(400)
        self.say(200, self.metadata.token(self.address, int(seconds)), {self.TTL: seconds})

    def do_GET(self) -> None:
        token = self.headers.get(self.TOKEN)
        found = self.metadata.instance(self.address)
        if found is None:
            return self.say(404)
        welcome = not self.metadata.needs_token(found[0]) if token is None else self.metadata.fits(token, self.address)
        if not welcome:
            return self.say(401)
        path = self.path.partition("?")[0]
        if path.strip("/") == "":
            return self.say(200, "latest")
        if path.split("/")[1] != "latest":
            return self.say(404)
        said = self.metadata.answer(self.address, path.partition("latest")[2])
        self.say(404) if said is None else self.say(200, said)

    do_HEAD = do_GET

    def say(self, status: int, text: str = "", headers: dict[str, str] | None = None) -> None:
        body = (text if status == 200 else f"{status} - {self.responses[status][0]}\n").encode()
        self.send_response(status)
        for name, value in {"Content-Type": "text/plain", "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: what is asked for here is asked for often."""
