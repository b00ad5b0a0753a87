"""SSH to a node, by the system's own ``ssh`` and ``scp``."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from emrlab.nodes import ssh_gate
from emrlab.nodes.addresses import claim, private_name
from emrlab.nodes.node import Node
from emrlab.nodes.ssh_gate import Gate, open_gate
from emrlab.nodes.ssh_server import Here
from emrlab.nodes.ssh_session import resize
from emrlab.nodes.waiting import listening, until
from tests import socks

PORT = 2222
client_needed = pytest.mark.skipif(
    not (shutil.which("ssh") and shutil.which("scp")), reason="this machine has no SSH client (ssh and scp)"
)


@pytest.fixture(scope="module")
def key(tmp_path_factory) -> Path:
    return written_key(tmp_path_factory.mktemp("keys") / "key.pem")


def written_key(file: Path) -> Path:
    made = asyncssh.generate_private_key("ssh-ed25519")
    file.touch(mode=0o600)
    made.write_private_key(file)
    made.write_public_key(file.with_suffix(".pub"))
    return file


@pytest.fixture
def node(tmp_path, request, monkeypatch) -> Iterator[Node]:
    monkeypatch.setenv("TERM", "the-regions")  # which is nobody else's
    taken = claim(request.node.name)
    address = taken.take()
    found = Node(tmp_path / "i-1", address, private_name(address), "a-test's-mark")
    found.make()
    found.settings["COLOUR"] = "a=b c"
    found.write_environment()
    yield found
    found.stop(0.2)
    taken.release()


@pytest.fixture
def gate(node, key) -> Gate:
    found = open_gate(node, key.with_suffix(".pub").read_text())
    assert found is not None
    return found


@pytest.fixture
def options(tmp_path, key) -> list[str]:
    given = ("BatchMode=yes", "StrictHostKeyChecking=accept-new", f"UserKnownHostsFile={tmp_path}/known_hosts")
    return ["-F", "none", "-i", str(key), *(part for one in (*given, "LogLevel=ERROR") for part in ("-o", one))]


Done = subprocess.CompletedProcess[str]
Run = Callable[..., Done]


def run(*command: str, **more: Any) -> Done:
    more.setdefault("stdin", None if "input" in more else subprocess.DEVNULL)
    if more["stdin"] is None:
        del more["stdin"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **more)


@pytest.fixture
def ssh(gate, node, options) -> Run:
    """``ssh(option…, command="…")`` on the node."""

    def ssh(*more: str, command: str | None = None, **others: Any) -> Done:
        target = (*more, f"hadoop@{node.address}", *([command] if command is not None else []))
        return run("ssh", *options, "-p", str(PORT), *target, **others)

    return ssh


@pytest.fixture
def scp(gate, options) -> Run:
    return lambda *arguments: run("scp", "-q", *options, "-P", str(PORT), *map(str, arguments))


# Commands and shells


@client_needed
def test_a_command_has_the_nodes_environment_and_gives_its_output_and_status(ssh, node):
    said = ssh(command='pwd; echo "$COLOUR"; echo ${PATH%%:*}; echo $USER; echo wrong >&2; exit 3')
    assert said.stdout.splitlines() == [str(node.path("home/hadoop")), "a=b c", str(node.path("usr/bin")), "hadoop"]
    assert (said.stderr, said.returncode) == ("wrong\n", 3)


@client_needed
def test_what_was_configured_after_the_start_counts(ssh, node):
    ssh(command="true")
    node.settings["LATER"] = "yes"
    node.write_environment()
    assert ssh(command="echo $LATER").stdout == "yes\n"


@client_needed
def test_a_login_shell_has_it_too_whatever_the_machines_profile_says(ssh, node):
    node.write("home/hadoop/.bashrc", "export FROM_BASHRC=1\n")
    said = ssh(input="shopt -q login_shell && echo login; echo ${PATH%%:*} $COLOUR $FROM_BASHRC\nexit 4\n")
    assert (said.stdout, said.returncode) == (f"login\n{node.path('usr/bin')} a=b c 1\n", 4)


@client_needed
def test_input_and_output_of_any_size_pass_unchanged(ssh):
    data = "0123456789abcdef" * 250_000
    said = ssh(command="tee /dev/stderr", input=data)
    assert said.stdout == data
    assert said.stderr == data


@client_needed
def test_the_client_sets_its_language_and_nothing_else(ssh):
    env = {**os.environ, "LC_TEST": "x", "SECRET": "y"}
    said = ssh("-o", "SendEnv=LC_TEST SECRET", command="echo [$LC_TEST] [$SECRET]", env=env)
    assert said.stdout == "[x] []\n"


@client_needed
def test_a_command_that_a_signal_ends_is_told_so(ssh):
    assert ssh(command="kill -9 $$").returncode == 255  # how ssh tells it


class Terminal:
    """Our end of one. What was read beyond a text that was waited for is read again next time."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor, self.rest = descriptor, ""

    def until(self, text: str) -> str:
        while text not in self.rest:
            self.rest += os.read(self.descriptor, 4096).decode(errors="replace")
        said, _, self.rest = self.rest.partition(text)
        return said + text

    def write(self, text: bytes) -> None:
        os.write(self.descriptor, text)


@contextlib.contextmanager
def on_a_terminal(command: list[str], rows: int, columns: int) -> Iterator[tuple[subprocess.Popen[bytes], Terminal]]:
    """A program on a terminal of ours: the process, and our end."""
    ours, theirs = pty.openpty()
    resize(ours, (columns, rows, 0, 0))
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    try:
        yield process, Terminal(ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


@client_needed
@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", ["xterm", ""])
def test_a_terminal_has_the_clients_size_prompt_and_interrupt(ssh, gate, node, options, name, monkeypatch):
    """Also one without a name."""
    monkeypatch.setenv("TERM", name)
    command = ["ssh", *options, "-tt", "-p", str(PORT), f"hadoop@{node.address}"]
    with on_a_terminal(command, 31, 97) as (process, ours):
        prompt = f"[hadoop@{node.name.partition('.')[0]} ~]$ "
        ours.until(prompt)
        ours.write(b"stty size; echo $TERM$SSH_TTY\n")
        said = ours.until(prompt)
        assert "31 97\r\n" in said
        assert f"{name or 'dumb'}/dev/pts/" in said
        resize(ours.descriptor, (111, 40, 0, 0))
        process.send_signal(signal.SIGWINCH)
        ours.write(b"until [ \"$(stty size)\" = '40 111' ]; do sleep 0.05; done; echo re''sized\n")
        ours.until("resized")
        ours.until(prompt)
        ours.write(b"sh -c 'echo be\"\"gun; exec sleep 300'\n")
        ours.until("begun\r\n")
        ours.write(b"\x03")
        ours.until(prompt)
        ours.write(b"exit 7\n")
        assert process.wait(30) == 7


@client_needed
@pytest.mark.timeout(60)
def test_who_loses_the_connection_hangs_up(ssh, gate, node, options):
    command = ["ssh", *options, "-tt", "-p", str(PORT), f"hadoop@{node.address}"]
    with on_a_terminal(command, 24, 80) as (process, ours):
        ours.write(b"trap 'touch hung-up; exit' HUP; echo re''ady; while :; do sleep 0.1; done\n")
        ours.until("ready")
        process.kill()
        assert until(node.path("home/hadoop/hung-up").exists, 20)


# Who is let in


@client_needed
def test_another_key_another_user_and_no_key_are_refused(ssh, gate, node, options, tmp_path):
    other = written_key(tmp_path / "other.pem")
    mine = str(options[options.index("-i") + 1])
    for key, user in ((str(other), "hadoop"), (mine, "ec2-user"), (mine, "root"), ("/dev/null", "hadoop")):
        given = [key if one == mine else one for one in options]
        said = run("ssh", *given, "-o", "IdentitiesOnly=yes", "-p", str(PORT), f"{user}@{node.address}", "echo in")
        assert (said.returncode, said.stdout) == (255, "")
        assert "Permission denied (publickey)" in said.stderr


@client_needed
def test_a_key_that_is_added_on_the_node_opens_it_too(ssh, node, tmp_path):
    other = written_key(tmp_path / "other.pem")
    said = ssh(command=f"echo '{other.with_suffix('.pub').read_text().strip()}' >> ~/.ssh/authorized_keys")
    assert said.returncode == 0
    assert ssh("-i", str(other), "-o", "IdentitiesOnly=yes", command="echo in").stdout == "in\n"


def test_opening_twice_keeps_the_keys_that_are_there(node, key):
    keys = node.path("home/hadoop/.ssh/authorized_keys")
    open_gate(node, "ssh-ed25519 AAAA one")
    assert open_gate(node, "ssh-ed25519 AAAA one") is None  # the ports are the first one's
    open_gate(node, "ssh-ed25519 BBBB two")
    assert keys.read_text().splitlines() == ["ssh-ed25519 AAAA one", "ssh-ed25519 BBBB two"]
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600


# Files


# scp speaks SFTP since OpenSSH 9, and its own protocol where it is told to, or is older.
WAYS = [(), ("-O",)] if shutil.which("scp") and re.search(r"\[-\w*O", run("scp").stderr) else [()]


@client_needed
@pytest.mark.parametrize("way", WAYS)
def test_files_and_folders_go_there_and_back(scp, node, tmp_path, way):
    folder = tmp_path / "folder"
    (folder / "below").mkdir(parents=True)
    (folder / "below" / "some file").write_bytes(os.urandom(3_000_000))
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    assert scp(*way, "-r", folder, f"hadoop@{node.address}:").returncode == 0
    there = node.path("home/hadoop/folder")
    assert (there / "below" / "some file").read_bytes() == (folder / "below" / "some file").read_bytes()
    assert os.access(there / "run.sh", os.X_OK)
    assert scp(*way, "-r", f"hadoop@{node.address}:folder", tmp_path / "back").returncode == 0
    assert (tmp_path / "back/below/some file").read_bytes() == (folder / "below" / "some file").read_bytes()
    assert scp(*way, f"hadoop@{node.address}:nothing", tmp_path).returncode == 1


@client_needed
@pytest.mark.parametrize("way", WAYS)
def test_emrs_paths_are_the_nodes_own(scp, node, tmp_path, way):
    (tmp_path / "one").write_text("1")
    assert scp(*way, tmp_path / "one", f"hadoop@{node.address}:/home/hadoop/one").returncode == 0
    assert node.path("home/hadoop/one").read_text() == "1"
    node.write("var/log/a.log", "said")
    assert scp(*way, f"hadoop@{node.address}:/var/log/a.log", tmp_path / "log").returncode == 0
    assert (tmp_path / "log").read_text() == "said"
    (tmp_path / "there").mkdir()
    assert scp(*way, tmp_path / "one", f"hadoop@{node.address}:{tmp_path}/there/two").returncode == 0
    assert (tmp_path / "there" / "two").read_text() == "1"


@pytest.fixture
def here(node) -> Here:
    return Here(node.folder, node.address)


def test_a_path_is_the_nodes_where_the_node_has_it_else_the_machines(here, node, tmp_path):
    node.write("etc/motd", "hello")
    root = os.fsencode(node.folder)
    cases = {
        b"file": b"file",
        b"/etc/motd": root + b"/etc/motd",
        b"/mnt/new": root + b"/mnt/new",
        b"/mnt": root + b"/mnt",
        root + b"/mnt/new": root + b"/mnt/new",
        b"/tmp/new": b"/tmp/new",
        b"/new": b"/new",
        b"/usr/lib/os-release": b"/usr/lib/os-release",
        b"/mnt/../../i-2/secret": b"/mnt/../../i-2/secret",
    }
    assert {path: here.mapped(path) for path in cases} == cases


# Tunnels


def test_only_the_cluster_s_nodes_are_reached(here, node):
    neighbour = node.address.rpartition(".")[0] + ".77"
    for name in ("localhost", "127.0.0.1", "::1", node.address, node.name, node.name.upper()):
        assert here.reachable(name) == node.address
    assert here.reachable(neighbour) == here.reachable(private_name(neighbour)) == neighbour
    for name in ("example.org", "127.0.0.53", "10.0.0.1", "ip-10-0-0-1.ec2.internal", "ip-999-1-1-1", "::ffff:1.2.3.4"):
        assert here.reachable(name) is None


@pytest.fixture
def page(node) -> int:
    """The port of a web interface on the node."""
    node.write("www/index.html", "the interface")
    server = ("-m", "http.server", "--bind", node.address, "--directory", str(node.path("www")), "8088")
    node.run((sys.executable, *server), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert until(lambda: listening(node.address, 8088), 20)
    return 8088


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture
def tunnel(gate, node, options) -> Iterator[Callable[..., int]]:
    """``tunnel("-L", "{}:host:port")``: a client that only forwards; the local port."""
    with contextlib.ExitStack() as stack:

        def tunnel(option: str, form: str) -> int:
            port = free_port()
            command = ["ssh", *options, "-N", "-p", str(PORT), option, form.format(port), f"hadoop@{node.address}"]
            process = stack.enter_context(subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE))
            stack.callback(process.kill)
            assert until(lambda: listening("127.0.0.1", port), 30)
            return port

        yield tunnel


@client_needed
@pytest.mark.parametrize("host", ["localhost", "{address}", "{name}"])
def test_a_local_port_leads_to_the_nodes_interface(tunnel, page, node, host):
    port = tunnel("-L", f"{{}}:{host.format(address=node.address, name=node.name)}:{page}")
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        assert socks.fetched(connection).endswith("the interface")


@client_needed
def test_a_socks_proxy_reaches_the_cluster_by_its_names_and_nothing_else(tunnel, page, node):
    port = tunnel("-D", "{}")
    connection, reply = socks.connected(port, node.name, page)
    with connection:
        assert (reply, socks.fetched(connection).endswith("the interface")) == (0, True)
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        elsewhere.settimeout(0)
        for host in ("example.org", "127.0.0.2", "127.0.0.1"):
            connection, reply = socks.connected(port, host, elsewhere.getsockname()[1])
            with connection:
                assert reply != 0 or connection.recv(1) == b""
        with pytest.raises(BlockingIOError):
            elsewhere.accept()


@client_needed
def test_the_node_opens_no_port_for_a_client(ssh):
    said = ssh("-o", "ExitOnForwardFailure=yes", "-R", f"{free_port()}:localhost:22", command="echo in")
    assert (said.returncode, said.stdout) == (255, "")


# The server's life


def servers(node: Node) -> list[int]:
    return [one.pid for one in node.processes() if "emrlab.nodes.ssh_server" in one.cmdline()]


def banner(node: Node) -> bytes:
    with socket.create_connection((node.address, PORT), timeout=30) as connection:
        return connection.recv(8)


def test_it_starts_for_the_first_and_ends_when_idle_and_its_host_key_stays(node, key, monkeypatch):
    monkeypatch.setattr(ssh_gate, "IDLE_SECONDS", 0.1)
    open_gate(node, key.with_suffix(".pub").read_text())
    assert servers(node) == []
    found = set()
    for _ in range(2):
        assert banner(node) == b"SSH-2.0-"
        file = node.path("etc/ssh/ssh_host_ed25519_key")
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        found.add(file.read_bytes())
        assert until(lambda: servers(node) == [], 30)
    assert len(found) == 1


def test_many_who_come_at_once_are_served_by_one(gate, node):
    said: list[bytes] = []
    callers = [threading.Thread(target=lambda: said.append(banner(node))) for _ in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(30)
    assert said == [b"SSH-2.0-"] * 8
    assert len(servers(node)) == 1


def test_a_server_that_was_killed_is_replaced(gate, node):
    banner(node)
    (pid,) = servers(node)
    os.kill(pid, signal.SIGKILL)
    assert until(lambda: servers(node) == [], 20)
    assert until(lambda: banner(node) == b"SSH-2.0-", 30)


def test_it_ends_with_its_node_and_so_do_its_sessions(gate, node):
    assert banner(node) == b"SSH-2.0-"
    node.stop()
    gate.join(20)
    assert not gate.is_alive()
    assert node.processes() == []
    assert not listening(node.address, PORT)


@client_needed
def test_what_a_session_leaves_running_ends_with_the_node(ssh, node):
    pid = int(ssh(command="nohup sleep 300 >/dev/null 2>&1 & echo $!").stdout)
    assert pid in [one.pid for one in node.processes()]
    node.stop()
    assert node.processes() == []


def test_a_node_that_nobody_has_logged_in_to_ends_its_gate_too(gate, node):
    node.stop()
    gate.join(20)
    assert not gate.is_alive()


def test_where_the_server_cannot_start_callers_are_told_and_nothing_spins(gate, node):
    file = node.write("etc/ssh/ssh_host_ed25519_key", "no key")
    assert banner(node) == b""
    assert servers(node) == []
    file.unlink()
    assert until(lambda: banner(node) == b"SSH-2.0-", 30)


def test_a_module_in_the_home_folder_is_not_imported(gate, node):
    node.write("home/hadoop/asyncio.py", "raise SystemExit('mine')")
    assert banner(node) == b"SSH-2.0-"


def test_a_taken_port_leaves_the_other(node, key):
    with socket.create_server((node.address, PORT)):
        found = open_gate(node, key.with_suffix(".pub").read_text())
        ports = [each.getsockname()[1] for each in found.sockets] if found else []
        assert ports in ([], [22])  # 22 is for those who may
    node.stop()


def test_it_listens_on_the_nodes_address_alone(gate, node):
    assert {each.getsockname()[0] for each in gate.sockets} == {node.address}
