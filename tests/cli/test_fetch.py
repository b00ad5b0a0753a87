"""fetch: sizes before, progress meanwhile, bundles."""

from __future__ import annotations

from emrlab.cli.console import size
from emrlab.errors import LabError


def test_the_base_is_fetched_by_default_saying_how_much(emrlab_command, shop):
    result = emrlab_command("fetch")
    assert result.exit_code == 0, result.output
    assert "Hadoop 3.4.2, Spark 3.5.9: 3.5 MB in 3 files to download" in result.stderr
    assert "Downloading: 3.5 MB of 3.5 MB" in result.stderr
    assert shop.prepared == ["Hadoop", "Spark"]


def test_what_an_application_would_fetch_later_goes_into_its_bundle(emrlab_command, shop, tmp_path):
    file = tmp_path / "class.bundle"
    assert emrlab_command("fetch", "Spark", "--bundle", str(file)).exit_code == 0
    assert file.read_text() == "common hdfs connect"


def test_what_is_here_is_not_downloaded_again(emrlab_command, shop):
    emrlab_command("fetch")
    again = emrlab_command("fetch")
    assert again.exit_code == 0
    assert "download" not in again.stderr.lower()


def test_without_network_it_says_so_in_one_line(emrlab_command, shop):
    shop.fails = LabError("No network: Hadoop (3 MB) cannot be fetched. Try later: emrlab fetch Hadoop")
    result = emrlab_command("fetch", "Hadoop")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].endswith("emrlab fetch Hadoop")
    assert shop.prepared == []


def test_an_unknown_application_leads_to_the_list(emrlab_command, shop):
    result = emrlab_command("fetch", "Spork")
    assert result.exit_code == 1
    assert "emrlab fetch --list" in result.stderr


def test_the_list_tells_sizes_and_what_is_here(emrlab_command, shop):
    emrlab_command("fetch")
    shop.here = {artifact for artifact in shop.here if artifact.name != "hdfs"}
    listed = emrlab_command("fetch", "--list").stdout.splitlines()
    assert [line.split()[:2] for line in listed] == [["Hadoop", "3.4.2"], ["Spark", "3.5.9"]]
    assert "2.0 MB to download" in listed[0]


def test_a_bundle_goes_to_another_machine(emrlab_command, shop, tmp_path):
    file = tmp_path / "class.bundle"
    assert emrlab_command("fetch", "Hadoop", "--bundle", str(file)).exit_code == 0
    assert file.read_text() == "common hdfs"
    shop.here.clear()
    assert emrlab_command("fetch", "--from", str(file)).exit_code == 0
    assert shop.here


def test_a_missing_bundle_says_how_to_make_one(emrlab_command, shop, tmp_path):
    result = emrlab_command("fetch", "--from", str(tmp_path / "none"))
    assert result.exit_code == 1
    assert "--bundle" in result.stderr


def test_contradicting_options_are_refused(emrlab_command, shop, tmp_path):
    assert emrlab_command("fetch", "--list", "--bundle", str(tmp_path / "b")).exit_code == 2
    assert not shop.here


def test_sizes_are_for_people():
    assert [size(n) for n in (0, 999, 1000, 1_234_567, 123_456_789, 5 * 10**9)] == [
        "0 B",
        "999 B",
        "1.0 kB",
        "1.2 MB",
        "123 MB",
        "5.0 GB",
    ]
