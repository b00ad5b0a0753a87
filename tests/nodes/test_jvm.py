"""Command lines of a node's JVMs."""

from __future__ import annotations

from pathlib import Path

import pytest

from emrlab.nodes import jvm
from emrlab.nodes.archives import FLAGS, Archive
from emrlab.nodes.node import Node

JARS = (Path("/cache/a.jar"), Path("/cache/b.jar"))


@pytest.fixture
def node(tmp_path):
    return Node(tmp_path, "127.64.0.10", "ip-127-64-0-10.ec2.internal", "owner")


@pytest.fixture
def archive(tmp_path, monkeypatch):
    monkeypatch.setenv("EMRLAB_CACHE", str(tmp_path))
    monkeypatch.delenv(jvm.STOCK, raising=False)
    classes = tmp_path / "classes"
    classes.write_text("")
    return Archive("some", JARS, classes)


@pytest.fixture
def made(archive, monkeypatch):
    monkeypatch.setattr(Archive, "ready", True)
    return archive


def test_a_daemon_is_small_and_uses_the_archive(node, made):
    command = jvm.daemon(node, "lab.Main", 96, [*JARS, node.path("etc")], made, arguments=["-x"])
    assert "-Xmx96m" in command
    assert "-XX:+UseSerialGC" in command
    assert f"-XX:SharedArchiveFile={made.path}" in command
    assert command[-3:] == [f"/cache/a.jar:/cache/b.jar:{node.path('etc')}", "lab.Main", "-x"]


def test_a_daemon_is_on_its_node(node, archive):
    command = jvm.daemon(node, "lab.Main", 96, JARS, archive)
    assert "-Dlab.ip=127.64.0.10" in command
    assert f"-Djdk.net.hosts.file={node.path('etc/hosts')}" in command
    assert f"-Djava.io.tmpdir={node.path('mnt/tmp')}" in command
    assert "-Djava.nio.channels.spi.SelectorProvider=lab.LoopbackSelectorProvider" in command


def test_without_an_archive_it_starts_all_the_same(node, archive):
    command = jvm.daemon(node, "lab.Main", 96, JARS, archive)
    assert not any("SharedArchiveFile" in one for one in command)


def test_what_a_user_configured_wins(node, made):
    command = jvm.daemon(node, "lab.Main", 96, JARS, made, ["-Xmx200m"])
    assert command.index("-Xmx200m") > command.index("-Xmx96m")


def test_benchmarks_get_jvms_as_they_come(node, made, monkeypatch):
    monkeypatch.setenv(jvm.STOCK, "1")
    command = jvm.daemon(node, "lab.Main", 96, JARS, made)
    assert not {"-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", *FLAGS} & set(command)
    assert "-Dlab.ip=127.64.0.10" in command


def test_scripts_name_the_archive_before_it_is_there(archive):
    assert jvm.sharing(archive).endswith(f"-XX:SharedArchiveFile={archive.path}")
