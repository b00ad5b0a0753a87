"""The artifact store, over jgo's real client and a Maven repository on loopback that can misbehave."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import socket
import subprocess
import sys
import tarfile
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from emrlab.nodes import artifacts
from emrlab.nodes.artifacts import Artifact, ArtifactError, Store, read_lock
from emrlab.nodes.bundles import MANIFEST

LOCKS = Path(artifacts.__file__).parents[1] / "applications" / "locks"


class Repository:
    """A Maven repository of a few small files: ``files`` by path, ``asked`` counts, ``damage`` spoils answers."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: Counter[str] = Counter()
        self.damage: Counter[str] = Counter()  # file name → how many answers to spoil
        self.status = 200
        repository = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                repository.asked[self.path.rpartition("/")[2]] += 1
                name = self.path.rpartition("/")[2]
                content = repository.files.get(self.path)
                status = repository.status if content is not None else 404
                if content is not None and repository.damage[name] > 0:
                    repository.damage[name] -= 1
                    content = b"#" * len(content)
                self.send_response(status)
                self.send_header("Content-Length", str(len(content or b"")))
                self.end_headers()
                self.wfile.write(content or b"")

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def add(self, coordinate: str, content: bytes) -> Artifact:
        artifact = Artifact(coordinate, hashlib.sha256(content).hexdigest(), len(content))
        group, name, version, _, _ = artifact.parts
        self.files[f"/{group.replace('.', '/')}/{name}/{version}/{artifact.filename}"] = content
        return artifact

    def close(self) -> None:
        if self.thread.is_alive():
            self.server.shutdown()
            self.thread.join()
            self.server.server_close()


@pytest.fixture
def repository(monkeypatch):
    there = Repository()
    monkeypatch.setattr("jgo.maven._core.DEFAULT_REMOTE_REPOS", {"central": there.url})
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    yield there
    there.close()


@pytest.fixture
def three(repository):
    return [
        repository.add("org.one:first:1.0", b"first" * 50_000),
        repository.add("org.two:second:2.0:tests", b"second" * 1_000),
        repository.add("org.two:third:3.0@tar.gz", b""),
    ]


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "artifacts")


def test_fetch_brings_every_file_to_its_place(repository, three, store):
    told = []
    fetched = store.fetch(reversed(three), "Hadoop", lambda done, total: told.append((done, total)))
    assert list(fetched) == three[::-1]
    assert [path.relative_to(store.root).as_posix() for path in fetched.values()] == [
        "org.two/third-3.0.tar.gz",
        "org.two/second-2.0-tests.jar",
        "org.one/first-1.0.jar",
    ]
    assert fetched[three[0]].read_bytes() == b"first" * 50_000
    total = sum(one.size for one in three)
    assert told[-1] == (total, total)
    assert {of for _, of in told} == {total}
    assert store.missing(three) == []
    assert [path.name for path in store.root.iterdir() if path.name.startswith(".")] == [".lock"]


def test_what_is_here_needs_no_network(repository, three, store):
    first = store.fetch(three)
    repository.close()
    assert store.fetch(three) == first


def test_a_file_of_the_right_content_is_taken_whatever_its_time(repository, three, store):
    path = store.path(three[0])
    path.parent.mkdir(parents=True)
    path.write_bytes(b"first" * 50_000)
    repository.close()
    assert store.missing(three[:1]) == []
    assert int(path.stat().st_mtime) == three[0].mtime


@pytest.mark.parametrize("content", [b"x" * 250_000, b"short", b""], ids=["changed", "cut", "empty"])
def test_a_damaged_file_is_found_and_fetched_again(three, store, content):
    path = store.fetch(three)[three[0]]
    path.write_bytes(content)
    assert store.missing(three) == three[:1]
    assert store.fetch(three)[three[0]].read_bytes() == b"first" * 50_000


def test_a_lock_that_names_another_content_is_not_satisfied(repository, three, store):
    store.fetch(three)
    other = Artifact(three[0].coordinate, hashlib.sha256(b"other").hexdigest(), three[0].size)
    assert store.missing([other]) == [other]


def test_a_transfer_damaged_once_is_tried_again(repository, three, store):
    repository.damage["first-1.0.jar"] = 1
    told = []
    store.fetch(three, progress=lambda done, total: told.append((done, total)))
    assert repository.asked["first-1.0.jar"] == 2
    assert told[-1][0] == told[-1][1]


def test_a_transfer_damaged_always_is_refused_and_leaves_nothing(repository, three, store, monkeypatch):
    monkeypatch.setattr(artifacts.threading.Event, "wait", lambda event, timeout=None: event.is_set())
    repository.damage["first-1.0.jar"] = 99
    with pytest.raises(ArtifactError, match=r"org\.one:first:1\.0 arrived damaged 3 times"):
        store.fetch(three, "Hadoop")
    assert three[0] in store.missing(three)
    assert not store.path(three[0]).exists()
    assert list(store.root.glob(".fetch-*")) == []


def test_without_network_the_error_names_what_how_much_and_the_command(repository, three, store):
    repository.close()
    with pytest.raises(ArtifactError) as caught:
        store.fetch(three, "Hadoop")
    said = str(caught.value)
    assert said.startswith("Hadoop: 0.3 MB in 3 files still missing")
    assert "cannot be reached" in said
    assert "emrlab fetch." in said
    assert "emrlab fetch --from FILE" in said
    assert repository.url not in said


def test_a_repository_that_never_answers_is_given_up(repository, three, store, monkeypatch):
    monkeypatch.setattr(artifacts, "TIMEOUT", (1, 0.2))
    monkeypatch.setattr(artifacts, "ATTEMPTS", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setattr("jgo.maven._core.DEFAULT_REMOTE_REPOS", {"central": url})
        with pytest.raises(ArtifactError, match="does not answer in time"):
            store.fetch(three)


@pytest.mark.parametrize("status", [403, 404, 503])
def test_a_refusing_repository_is_said_to_refuse(repository, three, store, status):
    repository.status = status
    with pytest.raises(ArtifactError, match="does not give it") as caught:
        store.fetch(three)
    assert repository.url not in str(caught.value)


def test_too_little_disk_is_said_before_anything_is_fetched(repository, three, store, monkeypatch):
    usage = artifacts.shutil._ntuple_diskusage(10**9, 10**9, 1000)
    monkeypatch.setattr(artifacts.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(ArtifactError, match="0 MB free: free some space"):
        store.fetch(three)
    assert not repository.asked


def test_a_disk_that_fills_up_meanwhile_is_said_to_be_full(three, store, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(artifacts, "stamp", full)
    with pytest.raises(ArtifactError, match="the disk is full: free some space"):
        store.fetch(three, "Spark")


def test_a_cache_that_cannot_be_written_says_how_to_choose_another(three, tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(ArtifactError, match="export EMRLAB_CACHE="):
        Store(tmp_path / "file" / "artifacts").fetch(three)


def test_two_processes_at_once_fetch_everything_once(repository, three, store):
    program = (
        "import sys, jgo.maven._core as core\n"
        "from emrlab.nodes.artifacts import Artifact, Store\n"
        "core.DEFAULT_REMOTE_REPOS = {'central': sys.argv[1]}\n"
        "wanted = [Artifact(c, h, int(s)) for c, h, s in (one.split(',') for one in sys.argv[3:])]\n"
        "print(all(path.is_file() for path in Store(sys.argv[2]).fetch(wanted).values()))\n"
    )
    wanted = [f"{one.coordinate},{one.sha256},{one.size}" for one in three]
    command = [sys.executable, "-c", program, repository.url, str(store.root), *wanted]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate(timeout=60)[0].strip() for process in both] == ["True", "True"]
    assert {name: count for name, count in repository.asked.items() if not name.endswith(".sha1")} == {
        one.filename: 1 for one in three
    }


def test_what_a_killed_download_left_is_cleared_away(three, store):
    left = store.root / ".fetch-dead" / "x"
    left.mkdir(parents=True)
    (left / "half.jar").write_bytes(b"half")
    store.fetch(three)
    assert not left.parent.exists()


# Locks


@pytest.mark.parametrize("lock", sorted(LOCKS.glob("*.lock")), ids=lambda lock: lock.stem)
def test_shipped_locks_are_locks(lock):
    found = read_lock(lock)
    assert found
    assert len({one.relative for one in found}) == len(found)


def test_hadoops_class_path_holds_no_artifact_twice():
    names = Counter((one.group, one.name) for lock in ("hadoop", "s3") for one in read_lock(LOCKS / f"{lock}.lock"))
    twice = {name for name, count in names.items() if count > 1}
    assert twice == {("io.netty", "netty-transport-native-epoll")}  # its classes and its native library


@pytest.mark.parametrize(
    "line",
    [
        "a:b:1",
        "a:b:1\tabc\t3",
        "a:b\t" + "0" * 64 + "\t3",
        "../x:b:1\t" + "0" * 64 + "\t3",
        "a:b:1\t" + "0" * 64 + "\t-3",
    ],
)
def test_a_line_that_is_no_artifact_is_refused(tmp_path, line):
    (tmp_path / "bad.lock").write_text(f"# a remark\n\n{line}\n")
    with pytest.raises(ArtifactError, match=r"not a locked artifact.*make_lock\.py"):
        read_lock(tmp_path / "bad.lock")


# Bundles


@pytest.fixture
def bundle(three, store, tmp_path):
    store.fetch(three)
    store.export_bundle(tmp_path / "class.bundle", three)
    return tmp_path / "class.bundle"


@pytest.fixture
def elsewhere(repository, bundle, tmp_path):
    """Another machine: no network, an empty store."""
    repository.close()
    return Store(tmp_path / "elsewhere")


def test_a_bundle_serves_a_machine_without_network(three, bundle, elsewhere):
    brought = elsewhere.import_bundle(bundle, three)
    assert sorted(one.filename for one in brought.added) == sorted(one.filename for one in three)
    assert (brought.present, brought.missing) == ((), ())
    assert elsewhere.fetch(three)[three[0]].read_bytes() == b"first" * 50_000
    assert elsewhere.import_bundle(bundle).added == ()


def test_a_bundle_of_something_else_tells_what_is_still_missing(repository, bundle, elsewhere):
    another = repository.add("org.three:other:1.0", b"other")
    assert elsewhere.import_bundle(bundle, [another]).missing == (another,)


def test_a_bundle_needs_everything_here_first(repository, three, store, tmp_path):
    with pytest.raises(ArtifactError, match=r"0\.3 MB in 3 files of the bundle are not here yet"):
        store.export_bundle(tmp_path / "class.bundle", three)
    assert list(tmp_path.glob("*bundle*")) == []


def test_a_bundle_that_cannot_be_written_leaves_nothing(three, store, tmp_path):
    store.fetch(three)
    (tmp_path / "folder").mkdir()
    with pytest.raises(ArtifactError, match="Or name another file"):
        store.export_bundle(tmp_path / "folder", three)
    assert list(tmp_path.glob(".folder*")) == []


def test_a_damaged_bundle_gives_what_is_whole(three, bundle, elsewhere):
    content = bundle.read_bytes()
    bundle.write_bytes(content.replace(b"second" * 10, b"SECOND" * 10, 1))
    with pytest.raises(ArtifactError, match=r"1 of the files .* damaged or absent \(first: org\.two:second"):
        elsewhere.import_bundle(bundle)
    assert elsewhere.missing(three) == [three[1]]


@pytest.mark.parametrize("keep", [0, 100, 3_000, 200_000])
def test_a_cut_bundle_is_said_to_be_no_whole_one(bundle, elsewhere, keep):
    bundle.write_bytes(bundle.read_bytes()[:keep])
    with pytest.raises(ArtifactError, match="emrlab fetch --bundle FILE"):
        elsewhere.import_bundle(bundle)


def test_a_file_that_is_no_bundle_is_refused(elsewhere, tmp_path):
    (tmp_path / "page.html").write_text("<html>" * 1000)
    with pytest.raises(ArtifactError, match="no whole bundle"):
        elsewhere.import_bundle(tmp_path / "page.html")


def tar(file: Path, manifest: object, **members: bytes) -> Path:
    with tarfile.open(file, "w") as made:
        for name, content in {MANIFEST: json.dumps(manifest).encode(), **members}.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            made.addfile(member, io.BytesIO(content))
    return file


def test_a_bundle_writes_nowhere_but_into_the_store(elsewhere, tmp_path):
    sha256 = hashlib.sha256(b"evil").hexdigest()
    evil = {"../evil.jar": b"evil", str(tmp_path / "evil.jar"): b"evil", "g/a-1.jar": b"evil"}
    brought = elsewhere.import_bundle(tar(tmp_path / "b", [["g:a:1", sha256, 4]], **evil))
    assert [one.coordinate for one in brought.added] == ["g:a:1"]
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.jar")) == [
        "artifacts/org.one/first-1.0.jar",
        "artifacts/org.two/second-2.0-tests.jar",
        "elsewhere/g/a-1.jar",
    ]


@pytest.mark.parametrize("manifest", [[["../..:x:1", "0" * 64, 4]], [["g:a:1", "no", 4]], [["g:a:1"]], {"a": 1}, 7])
def test_a_bundle_whose_list_is_none_is_refused(elsewhere, tmp_path, manifest):
    with pytest.raises(ArtifactError, match="no whole bundle"):
        elsewhere.import_bundle(tar(tmp_path / "b", manifest))


def test_a_link_in_a_bundle_is_not_followed(elsewhere, tmp_path):
    (tmp_path / "secret").write_bytes(b"evil")
    file = tmp_path / "b"
    with tarfile.open(file, "w") as made:
        manifest = json.dumps([["g:a:1", hashlib.sha256(b"evil").hexdigest(), 4]]).encode()
        head = tarfile.TarInfo(MANIFEST)
        head.size = len(manifest)
        made.addfile(head, io.BytesIO(manifest))
        link = tarfile.TarInfo("g/a-1.jar")
        link.type, link.linkname = tarfile.SYMTYPE, os.fspath(tmp_path / "secret")
        made.addfile(link)
    with pytest.raises(ArtifactError, match="damaged or absent"):
        elsewhere.import_bundle(file)


# The world


@pytest.mark.engine
def test_a_real_artifact_comes_from_the_real_repository(tmp_path):
    (smallest,) = [one for one in read_lock(LOCKS / "hadoop.lock") if one.coordinate == "javax.inject:javax.inject:1"]
    store = Store(tmp_path)
    assert store.fetch([smallest], "javax.inject")[smallest].stat().st_size == smallest.size
