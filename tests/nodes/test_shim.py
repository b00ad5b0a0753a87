"""Our few Java classes: compiled without a JDK, the same everywhere, and what they do to sockets."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from emrlab.applications.classpath import hadoop_classpath
from emrlab.errors import LabError
from emrlab.nodes import shim
from emrlab.nodes.artifacts import ArtifactError, Store, read_lock
from emrlab.nodes.jre import java
from emrlab.nodes.shim import LOCK, OPTIONS, compile_java, shim_jar

ADDRESS = "127.64.0.77"
PROBE = """
import java.net.*;
import java.nio.channels.*;

public class Probe {
  static String host(SocketAddress address) { return ((InetSocketAddress) address).getAddress().getHostAddress(); }

  public static void main(String[] arguments) throws Exception {
    ServerSocketChannel wide = ServerSocketChannel.open().bind(new InetSocketAddress(0));
    System.out.println("channel " + host(wide.getLocalAddress()));
    ServerSocketChannel older = ServerSocketChannel.open();
    older.socket().bind(new InetSocketAddress("0.0.0.0", 0));
    System.out.println("socket " + host(older.getLocalAddress()));
    ServerSocketChannel named = ServerSocketChannel.open().bind(new InetSocketAddress("127.0.0.1", 0));
    System.out.println("named " + host(named.getLocalAddress()));
    wide.configureBlocking(false);
    Selector selector = Selector.open();
    wide.register(selector, SelectionKey.OP_ACCEPT);
    Socket client = new lab.NodeSocketFactory().createSocket();
    client.connect(wide.getLocalAddress());
    selector.select(5000);
    SocketChannel accepted = wide.accept();
    System.out.println("from " + host(accepted.getRemoteAddress()));
    int port = wide.socket().getLocalPort();
    wide.close();
    selector.selectNow();
    ServerSocketChannel again = ServerSocketChannel.open();
    again.socket().setReuseAddress(true);
    again.bind(new InetSocketAddress(port));
    System.out.println("again " + host(again.getLocalAddress()));
    try {
      wide.accept();
    } catch (ClosedChannelException expected) {
      System.out.println("closed is closed");
    }
  }
}
"""


@pytest.fixture(scope="module")
def classpath():
    return hadoop_classpath()


@pytest.fixture(scope="module")
def said(classpath, tmp_path_factory):
    """What the probe says: line's first word → the rest."""
    folder = tmp_path_factory.mktemp("probe")
    (folder / "Probe.java").write_text(PROBE)
    compiler = list(Store().fetch(read_lock(LOCK), "The compiler").values())
    compile_java([folder / "Probe.java"], classpath, compiler, folder / "classes")
    places = os.pathsep.join(map(str, [*classpath, folder / "classes"]))
    command = [java(), *OPTIONS, f"-Dlab.ip={ADDRESS}", "-Djava.net.preferIPv4Stack=true", "-cp", places, "Probe"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return dict(line.split(" ", 1) for line in done.stdout.splitlines())


@pytest.mark.engine
@pytest.mark.parametrize("kind", ["channel", "socket"])
def test_a_server_that_asks_for_all_addresses_gets_its_nodes(said, kind):
    assert said[kind] == ADDRESS


@pytest.mark.engine
def test_a_server_that_names_its_address_gets_it(said):
    assert said["named"] == "127.0.0.1"


@pytest.mark.engine
def test_hadoops_clients_speak_from_their_nodes_address(said):
    assert said["from"] == ADDRESS


@pytest.mark.engine
def test_a_closed_servers_port_is_free_again(said):
    assert said["again"] == ADDRESS
    assert said["closed"] == "is closed"


@pytest.mark.engine
def test_made_twice_it_has_the_same_bytes_and_time(classpath, tmp_path, monkeypatch):
    store = Store()
    store.fetch(read_lock(LOCK), "The compiler")
    first = classpath[-1]
    monkeypatch.setenv("EMRLAB_CACHE", str(tmp_path))
    second = shim_jar(classpath[:-1], store)
    assert second.name == first.name
    assert hashlib.sha256(second.read_bytes()).digest() == hashlib.sha256(first.read_bytes()).digest()
    assert int(second.stat().st_mtime) == int(first.stat().st_mtime)
    assert [file.name for file in tmp_path.iterdir()] == [second.name]


@pytest.mark.engine
def test_a_class_path_without_hadoop_is_told_as_the_compiler_tells_it(tmp_path, monkeypatch):
    store = Store()
    store.fetch(read_lock(LOCK), "The compiler")
    monkeypatch.setenv("EMRLAB_CACHE", str(tmp_path))
    with pytest.raises(LabError, match=r"(?s)StandardSocketFactory.*emrlab fetch"):
        shim_jar([], store)
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_used_without_a_compiler(tmp_path, monkeypatch):
    monkeypatch.setenv("EMRLAB_CACHE", str(tmp_path))
    monkeypatch.setattr(shim, "compile_java", lambda *_: pytest.fail("compiled"))
    sources = sorted(shim.SOURCES.glob("*.java"))
    key = hashlib.sha256("".join(one.sha256 for one in read_lock(LOCK)).encode())
    for source in sources:
        key.update(source.name.encode() + b"\0" + source.read_bytes())
    made = tmp_path / f"shim-{key.hexdigest()[:16]}.jar"
    made.write_bytes(b"")
    assert shim_jar([]) == made


def test_without_the_compiler_and_without_network_it_says_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("EMRLAB_CACHE", str(tmp_path))

    def refused(*_: object, **__: object) -> None:
        raise ArtifactError("The compiler for the lab's Java classes is not here.")

    monkeypatch.setattr(Store, "fetch", refused)
    with pytest.raises(ArtifactError, match="compiler"):
        shim_jar([Path("hadoop-common.jar")])


def test_a_full_disk_is_told_with_a_way_out(tmp_path, monkeypatch):
    monkeypatch.setenv("EMRLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(Store, "fetch", lambda *_, **__: {})

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shim, "compile_java", full)
    with pytest.raises(LabError, match=r"No space left.*EMRLAB_CACHE"):
        shim_jar([])
