"""Where logs go."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from emrlab.emr.log_archive import LogArchive, place
from emrlab.emr.s3 import S3Error


@pytest.mark.parametrize(
    ("file", "key"),
    [
        ("hadoop/steps/s-1/stderr", "steps/s-1/stderr.gz"),
        ("hadoop-yarn/containers/application_1/container_2/stdout", "containers/application_1/container_2/stdout.gz"),
        ("bootstrap-actions/1/stderr", "node/i-1/bootstrap-actions/1/stderr.gz"),
        ("hadoop-hdfs/namenode.log", "node/i-1/applications/hadoop-hdfs/namenode.log.gz"),
    ],
)
def test_the_layout_is_emrs(file, key):
    assert place("i-1", Path(file)) == key


class Store:
    def __init__(self):
        self.sent = []
        self.broken = False

    def put(self, uri, content):
        if self.broken:
            raise S3Error("no")
        self.sent.append((uri, gzip.decompress(content)))


@pytest.fixture
def log(tmp_path):
    file = tmp_path / "i-1" / "var" / "log" / "hadoop-hdfs" / "namenode.log"
    file.parent.mkdir(parents=True)
    file.write_text("one")
    (file.parent / "empty.log").touch()
    return file


def test_what_has_changed_is_sent_again_and_nothing_else(log, tmp_path):
    store = Store()
    archive = LogArchive(store, "s3://b/logs/", "j-1")
    archive.push([tmp_path / "i-1"])
    archive.push([tmp_path / "i-1"])
    log.write_text("one two")
    archive.push([tmp_path / "i-1"])
    key = "s3://b/logs/j-1/node/i-1/applications/hadoop-hdfs/namenode.log.gz"
    assert store.sent == [(key, b"one"), (key, b"one two")]


def test_what_s3_refused_is_sent_the_next_time(log, tmp_path):
    store = Store()
    archive = LogArchive(store, "s3://b/logs/", "j-1")
    store.broken = True
    archive.push([tmp_path / "i-1"])
    store.broken = False
    archive.push([tmp_path / "i-1"])
    assert len(store.sent) == 1


def test_without_a_log_uri_nothing_is_sent(log, tmp_path):
    store = Store()
    archive = LogArchive(store, "", "j-1")
    archive.push([tmp_path / "i-1"])
    assert store.sent == []
    assert archive.step_file("s-1", "stderr") == ""
