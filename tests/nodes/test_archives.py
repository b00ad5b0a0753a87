"""Class-data archives: made by the lab's Java, used by JVMs, renewed with their jars. Small ones: no engine's jars."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import zipfile

import pytest

from emrlab.nodes import archives
from emrlab.nodes.archives import Archive
from emrlab.nodes.jre import java

CLASSES = ("java/lang/Object", "java/util/TreeMap", "java/util/zip/ZipFile")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("EMRLAB_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def jar(tmp_path):
    file = tmp_path / "some.jar"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\r\n\r\n")
    return file


@pytest.fixture
def classes(tmp_path):
    file = tmp_path / "some.classes.gz"
    file.write_bytes(gzip.compress("\n".join(CLASSES).encode()))
    return file


def pretend(archive: Archive) -> None:
    """As ``build`` leaves it, without a dump."""
    archives.folder().mkdir(parents=True, exist_ok=True)
    archive.path.write_bytes(b"archive")
    archive.note.write_text(json.dumps({"classpath": [str(path) for path in archive.classpath], "bytes": 7}))


def shares(archive: Archive, *more: object) -> subprocess.CompletedProcess[str]:
    places = os.pathsep.join(map(str, [*archive.classpath, *more]))
    flags = [*archive.options(), "-XX:-UsePerfData", "-Xlog:class+path=info,cds"]
    command = [str(java()), *flags, "-cp", places, "-version"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_a_jvm_maps_the_archive_that_was_made(jar, classes, tmp_path):
    archive = Archive("some", [jar], classes)
    assert archive.options() == []
    assert archive.build()
    assert archive.ready
    (tmp_path / "conf").mkdir()
    said = shares(archive, tmp_path / "conf")
    assert said.returncode == 0
    assert f"-XX:SharedArchiveFile={archive.path}" in archive.options()
    assert str(archive.path) in said.stdout + said.stderr


def test_build_twice_makes_it_once(jar, classes):
    archive = Archive("some", [jar], classes)
    assert archive.build()
    before = archive.path.stat().st_mtime_ns
    assert Archive("some", [jar], classes).build()
    assert archive.path.stat().st_mtime_ns == before


@pytest.mark.parametrize("size", [0, 7, 100_000])
def test_an_archive_that_was_cut_short_is_not_used_but_made_again(jar, classes, size):
    archive = Archive("some", [jar], classes)
    assert archive.build()
    whole = archive.path.read_bytes()
    archive.path.write_bytes(whole[:size])
    assert archive.options() == []
    assert not archive.path.exists()
    assert archive.build()
    assert shares(archive).returncode == 0


def test_an_archive_without_its_note_is_made_again(jar, classes):
    archive = Archive("some", [jar], classes)
    pretend(archive)
    archive.note.unlink()
    assert not archive.ready
    assert not archive.path.exists()


@pytest.mark.parametrize("change", ["size", "time", "order", "classes", "java"])
def test_any_change_of_what_it_was_made_from_names_another_archive(jar, classes, tmp_path, monkeypatch, change):
    other = tmp_path / "other.jar"
    other.write_bytes(jar.read_bytes())
    before = Archive("some", [jar, other], classes).path
    paths = [jar, other]
    if change == "size":
        jar.write_bytes(jar.read_bytes() + b"\0")
    elif change == "time":
        os.utime(jar, (1, 1))
    elif change == "order":
        paths.reverse()
    elif change == "classes":
        classes.write_bytes(gzip.compress(b"java/lang/Object\n"))
    else:
        monkeypatch.setattr(archives, "java_home", lambda: tmp_path)
    assert Archive("some", paths, classes).path != before


def test_a_dump_that_fails_is_told_and_leaves_nothing(jar, classes, monkeypatch, caplog):
    monkeypatch.setattr(archives, "HEAP", "1k")
    archive = Archive("some", [jar], classes)
    assert not archive.build()
    assert str(archive.log) in caplog.text
    assert "heap" in archive.log.read_text()
    assert list(archives.folder().glob("*.jsa")) == []
    assert list(archives.folder().glob(".dump-*")) == []


def test_where_nothing_can_be_written_there_is_no_archive_and_no_error(jar, classes, monkeypatch, tmp_path, caplog):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("EMRLAB_CACHE", str(tmp_path / "file"))
    assert not Archive("some", [jar], classes).build()
    assert "could not be made" in caplog.text


def test_a_full_disk_costs_the_archive_only(jar, classes, monkeypatch, caplog):
    def full(self, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    assert not Archive("some", [jar], classes).build()
    assert "No space left" in caplog.text


def test_what_dead_builders_left_goes(jar, classes):
    leftover = archives.folder() / ".dump-dead"
    leftover.mkdir(parents=True)
    with archives.building():
        assert not leftover.exists()


def test_prune_keeps_what_is_used_and_removes_what_it_replaced(jar, classes, tmp_path):
    old = Archive("some", [jar], classes)
    pretend(old)
    classes.write_bytes(gzip.compress(b"java/lang/Object\n"))
    new = Archive("some", [jar], classes)
    other = Archive("other", [jar], classes)
    pretend(new)
    pretend(other)
    assert archives.prune(keep=[new]) == [old.path]
    assert not old.path.with_suffix(".json").exists()
    assert new.ready
    assert other.ready


def test_prune_removes_archives_of_jars_that_are_gone(jar, classes):
    archive = Archive("some", [jar], classes)
    pretend(archive)
    jar.unlink()
    assert archives.prune() == [archive.path]
