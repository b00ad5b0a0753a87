"""The SPARK_HOME that is made of pip's pyspark; its Python archives."""

from __future__ import annotations

import subprocess
import sys
import zipfile

import pytest

from emrlab.applications import spark, spark_home
from emrlab.applications.spark_home import compiled
from emrlab.nodes.artifacts import ArtifactError, Store

PROBE = "import one; print(one.__file__, one.answer)"


@pytest.fixture
def archive(tmp_path):
    file = tmp_path / "lib" / "some.zip"
    file.parent.mkdir()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as to:
        to.writestr("one/__init__.py", "answer = 42\n")
        to.writestr("one/old.py", "print 'another Python'\n")
        to.writestr("one/data.txt", "data")
    return file


def ask(archive) -> str:
    """Which file another process of this Python imports, and the answer."""
    command, settings = [sys.executable, "-c", PROBE], {"PYTHONPATH": str(archive)}
    return subprocess.run(command, env=settings, capture_output=True, text=True, check=True, timeout=30).stdout


def test_bytecode_in_a_zip_is_what_runs(archive):
    compiled(archive)
    assert ask(archive).split() == [f"{archive}/one/__init__.pyc", "42"]


def test_sources_and_other_files_stay_in_it(archive):
    compiled(archive)
    with zipfile.ZipFile(archive) as made:
        assert made.read("one/__init__.py") == b"answer = 42\n"
        assert made.read("one/data.txt") == b"data"
        assert "one/old.pyc" not in made.namelist()


def test_another_python_takes_the_sources(archive, monkeypatch):
    monkeypatch.setattr(spark_home, "MAGIC_NUMBER", b"\0\0\r\n")
    compiled(archive)
    assert ask(archive).split() == [f"{archive}/one/__init__.py", "42"]


def test_the_file_it_was_linked_from_is_not_touched(archive, tmp_path):
    link = tmp_path / "link.zip"
    link.hardlink_to(archive)
    before = archive.read_bytes()
    compiled(link)
    assert archive.read_bytes() == before != link.read_bytes()


def test_made_twice_it_is_the_same(archive, tmp_path):
    copy = tmp_path / "copy.zip"
    copy.write_bytes(archive.read_bytes())
    compiled(archive)
    compiled(copy)
    assert copy.read_bytes() == archive.read_bytes()


def test_offline_and_without_its_jars_it_says_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("EMRLAB_CACHE", str(tmp_path))

    def refused(*_: object, **__: object) -> None:
        raise ArtifactError("Hadoop is not here and cannot be had. Run: emrlab fetch")

    monkeypatch.setattr(Store, "fetch", refused)
    with pytest.raises(ArtifactError, match="emrlab fetch"):
        spark_home.spark_home()
    assert not list(tmp_path.glob("spark-*"))


@pytest.mark.engine
def test_it_is_whole_in_itself():
    home = spark.home()
    assert (home / "bin" / "spark-submit").is_file()
    assert {file.name for file in spark.python_archives(home)} >= {"pyspark.zip"}
    assert not any(path.is_symlink() for path in home.rglob("*"))
    names = [jar.name for jar in spark_home.spark_jars(home)]
    assert len([name for name in names if name.startswith("hadoop-client-")]) == 2
    assert any(name.startswith("shim-") for name in names)
