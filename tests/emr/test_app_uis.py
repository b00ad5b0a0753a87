"""Application user interfaces: their rules, with servers of the test's own in the engines' places."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import pytest

from emrlab.emr.interactive import event_logs, history_servers, links
from emrlab.emr.operations import app_uis
from emrlab.errors import AwsError

from .conftest import ACCOUNT

APP = "application_1700000000000_0001"


@contextmanager
def serving(answers) -> Iterator[str]:
    """A web server on loopback. ``answers``: path with query → (status, body). Yields ``127.0.0.1:port``."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answers(self.path)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def life(launch):
    return launch(Applications=[{"Name": "Spark"}]).until_state("WAITING")


@pytest.fixture
def url(ask, life):
    def url(**more):
        return ask("GetOnClusterAppUIPresignedURL", ClusterId=life.id, **more)

    return url


@pytest.fixture
def yarn(monkeypatch):
    """YARN knows one application, in a state that a test may change."""
    found = {"state": "RUNNING"}
    monkeypatch.setattr(app_uis, "yarn", lambda _, application: found if application == APP else {})
    monkeypatch.setattr(app_uis, "listening", lambda address, port: port != app_uis.TIMELINE)
    return found


def target(emr, told) -> str | None:
    assert told["PresignedURLReady"] is True
    prefix = f"{emr.endpoint}{links.PREFIX}"
    assert told["PresignedURL"].startswith(prefix)
    return emr.user_interface(told["PresignedURL"].removeprefix(prefix))


def test_yarn_s_and_mapreduce_s_pages_are_on_the_master(emr, url, life, yarn):
    base = f"http://{life.told['MasterPublicDnsName']}"
    for kind, page, own in (
        ("ResourceManager", ":8088/cluster", f":8088/cluster/app/{APP}"),
        ("JobHistoryServer", ":19888/jobhistory", f":19888/jobhistory/job/{APP.replace('application', 'job')}"),
    ):
        assert target(emr, url(OnClusterAppUIType=kind)) == base + page
        assert target(emr, url(OnClusterAppUIType=kind, ApplicationId=APP)) == base + own
    told = url(OnClusterAppUIType="ApplicationMaster", ApplicationId=APP)
    assert target(emr, told) == f"{base}:8088/proxy/{APP}/"


def test_the_history_server_is_started_when_asked_for_and_ready_when_it_knows_the_application(
    emr, url, life, yarn, monkeypatch
):
    server, pages = {"at": ""}, {"page": ""}
    monkeypatch.setattr(history_servers, "on_cluster", lambda node: server["at"])
    monkeypatch.setattr(history_servers, "page", lambda at, app: f"{at}/" if not app else pages["page"])
    assert url() == {"PresignedURLReady": False}
    server["at"] = "http://127.9.9.9:18080"
    assert target(emr, url(OnClusterAppUIType="SparkHistoryServer")) == "http://127.9.9.9:18080/"
    assert url(ApplicationId=APP) == {"PresignedURLReady": False}
    pages["page"] = "http://127.9.9.9:18080/history/x"
    assert target(emr, url(ApplicationId=APP)) == pages["page"]
    assert url(DryRun=True) == {"PresignedURLReady": True}
    yarn["state"] = "FINISHED"  # its master is gone: its history opens
    assert target(emr, url(OnClusterAppUIType="ApplicationMaster", ApplicationId=APP)) == pages["page"]


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        ({"ApplicationId": "application_1_2"}, "InvalidRequestException", "'application_1_2' is not valid"),
        ({"ApplicationId": "../x"}, "InvalidRequestException", "is not valid"),
        ({"OnClusterAppUIType": "ApplicationMaster"}, "InvalidRequestException", "ApplicationId is required"),
        ({"OnClusterAppUIType": "TezUI"}, "ValidationException", "Tez UI is not emulated"),
        ({"OnClusterAppUIType": "YarnTimelineService"}, "ValidationException", "timeline service is not emulated"),
        ({"ExecutionRoleArn": "arn:aws:iam::123456789012:role/r"}, "ValidationException", "not emulated"),
    ],
)
def test_what_is_not_there_is_refused(url, yarn, more, code, message):
    with pytest.raises(AwsError, match=message) as refused:
        url(**more)
    assert refused.value.code == code


def test_a_cluster_without_spark_or_that_has_ended_has_none(ask, launch, yarn):
    life = launch().until_state("WAITING")
    with pytest.raises(AwsError, match="Spark is not installed"):
        ask("GetOnClusterAppUIPresignedURL", ClusterId=life.id)
    with pytest.raises(AwsError, match="Spark is not installed"):
        ask("CreatePersistentAppUI", TargetResourceArn=life.told["ClusterArn"])
    ask("TerminateJobFlows", JobFlowIds=[life.id])
    life.until_state("TERMINATED")
    with pytest.raises(AwsError, match="is in state TERMINATED"):
        ask("GetOnClusterAppUIPresignedURL", ClusterId=life.id, OnClusterAppUIType="ResourceManager")


def test_a_link_leads_on_until_it_expires(monkeypatch):
    made = links.Links("http://127.0.0.1:1")
    token = made.to("http://127.0.0.2:18080/").rpartition("/")[2]
    assert made.target(token) == "http://127.0.0.2:18080/"
    assert made.target("other") is None
    now = time.monotonic()
    monkeypatch.setattr(links.time, "monotonic", lambda: now + links.SECONDS + 1)
    assert made.target(token) is None
    made.to("http://127.0.0.2/")
    assert len(made.targets) == 1  # expired ones are forgotten


# Persistent


def create(ask, life, **more):
    return ask("CreatePersistentAppUI", TargetResourceArn=life.told["ClusterArn"], **more)["PersistentAppUIId"]


def test_a_persistent_one_is_described_and_tagged(ask, life):
    ui = create(ask, life, Tags=[{"Key": "a", "Value": "b"}])
    ask("AddTags", ResourceId=ui, Tags=[{"Key": "c", "Value": "d"}])
    told = ask("DescribePersistentAppUI", PersistentAppUIId=ui)["PersistentAppUI"]
    assert told.pop("CreationTime") == told.pop("LastModifiedTime")
    assert told == {
        "PersistentAppUIId": ui,
        "PersistentAppUITypeList": ["SHS"],
        "PersistentAppUIStatus": "ATTACHED",
        "AuthorId": ACCOUNT,
        "LastStateChangeReason": None,
        "Tags": [{"Key": "a", "Value": "b"}, {"Key": "c", "Value": "d"}],
    }
    with pytest.raises(AwsError, match="is not valid"):
        ask("DescribePersistentAppUI", "999999999999", PersistentAppUIId=ui)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"TargetResourceArn": "arn:aws:s3:::bucket-of-mine"}, "TargetResourceArn is not valid"),
        ({"TargetResourceArn": "arn:aws:elasticmapreduce:us-east-1:999999999999:cluster/j-A"}, "is not valid"),
        ({"TargetResourceArn": f"arn:aws:elasticmapreduce:us-east-1:{ACCOUNT}:cluster/j-A"}, "'j-A' is not valid"),
        ({"ProfilerType": "TEZUI"}, "not emulated"),
        ({"EMRContainersConfig": {"JobRunId": "1"}}, "not emulated"),
    ],
)
def test_what_no_persistent_one_can_be_of_is_refused(ask, life, more, message):
    with pytest.raises(AwsError, match=message):
        ask("CreatePersistentAppUI", **{"TargetResourceArn": life.told["ClusterArn"], **more})


def test_its_server_reads_the_logs_that_the_cluster_left(ask, emr, life, monkeypatch):
    ui = create(ask, life)
    ask("TerminateJobFlows", JobFlowIds=[life.id])
    life.until_state("TERMINATED")
    events = event_logs.folder(emr.home, life.id)
    events.mkdir(parents=True)
    (events / APP).write_text("{}")
    server = {"at": ""}

    class Server:
        def __init__(self, _, cluster):
            self.cluster = cluster

        @property
        def server(self):
            return server["at"]

    monkeypatch.setattr(history_servers, "off_cluster", Server)
    asked = {"PersistentAppUIId": ui, "PersistentAppUIType": "SHS"}
    assert ask("GetPersistentAppUIPresignedURL", **asked) == {"PresignedURLReady": False}
    knows = {"attempts": [{"attemptId": "2"}, {"attemptId": "1"}]}
    with serving(lambda path: (200, json.dumps(knows).encode())) as at:
        server["at"] = f"http://{at}"
        assert target(emr, ask("GetPersistentAppUIPresignedURL", **asked)) == f"http://{at}/"
        told = ask("GetPersistentAppUIPresignedURL", ApplicationId=APP, **asked)
        assert target(emr, told) == f"http://{at}/history/{APP}/2/jobs/"
        knows["attempts"] = [{}]
        told = ask("GetPersistentAppUIPresignedURL", ApplicationId=APP, **asked)
        assert target(emr, told) == f"http://{at}/history/{APP}/jobs/"
        knows.clear()
        assert ask("GetPersistentAppUIPresignedURL", ApplicationId=APP, **asked) == {"PresignedURLReady": False}
    with pytest.raises(AwsError, match="no event log of it"):
        ask("GetPersistentAppUIPresignedURL", ApplicationId="application_1_9", **asked)
    with pytest.raises(AwsError, match="TEZ"):
        ask("GetPersistentAppUIPresignedURL", PersistentAppUIId=ui, PersistentAppUIType="TEZ")


# Event logs


@pytest.fixture
def hdfs(monkeypatch):
    """HDFS's web interface over ``files`` (path below the event logs' folder → content).

    Yields the files, those of them that are being written, and the address.
    """
    files: dict[str, bytes] = {}
    hidden: set[str] = set()  # HDFS does not know their length

    def listing(path: str) -> bytes:
        below = path.removeprefix(event_logs.PLACE).strip("/")
        prefix = f"{below}/" if below else ""
        found: dict[str, dict] = {}
        for one, content in files.items():
            if one.startswith(prefix):
                name, folder, _ = one.removeprefix(prefix).partition("/")
                size = 0 if folder or one in hidden else len(content)
                kind = "DIRECTORY" if folder else "FILE"
                found[name] = {"pathSuffix": name, "length": size, "type": kind}
        return json.dumps({"FileStatuses": {"FileStatus": list(found.values())}}).encode()

    def answers(path: str) -> tuple[int, bytes]:
        parts, query = urlsplit(path), parse_qs(urlsplit(path).query)
        if parts.path.startswith("/data"):
            return 200, files[parts.path.removeprefix("/data/")][int(query["offset"][0]) :]
        name = parts.path.removeprefix("/webhdfs/v1")
        if query["op"] == ["LISTSTATUS"]:
            return 200, listing(name)
        where = f"http://{files_at}/data{name.removeprefix(event_logs.PLACE)}?offset={query['offset'][0]}"
        return 200, json.dumps({"Location": where}).encode()

    with serving(answers) as files_at:
        address, _, port = files_at.partition(":")
        monkeypatch.setattr(event_logs.webhdfs, "NAMENODE_WEB", port)
        yield files, hidden, address


def copies(home, cluster="j-1"):
    top = event_logs.folder(home, cluster)
    return {str(one.relative_to(top)): one.read_bytes() for one in top.rglob("*") if one.is_file()}


def test_event_logs_are_copied_as_they_grow_and_are_renamed(place, hdfs):
    files, hidden, address = hdfs
    files |= {f"{APP}.inprogress": b"one\n", "eventlog_v2_x/events_1_x": b"rolled\n"}
    hidden.add(f"{APP}.inprogress")
    event_logs.collect(place, "j-1", address)
    assert copies(place) == files
    files[f"{APP}.inprogress"] += b"two\n"
    event_logs.collect(place, "j-1", address)
    assert copies(place) == files
    files[APP] = files.pop(f"{APP}.inprogress") + b"end\n"
    event_logs.collect(place, "j-1", address)
    assert copies(place) == files
    assert event_logs.known(place, "j-1", APP)
    files[APP] = files[APP].upper()  # a log that has ended is not read again
    event_logs.collect(place, "j-1", address)
    assert copies(place)[APP] == b"one\ntwo\nend\n"


def test_without_hdfs_the_copies_stay(place, hdfs):
    files, _, address = hdfs
    files[APP] = b"one"
    event_logs.collect(place, "j-1", address)
    event_logs.webhdfs.NAMENODE_WEB = 1
    event_logs.collect(place, "j-1", address)
    assert copies(place) == {APP: b"one"}


def test_names_of_nodes_become_addresses():
    url = "http://ip-127-64-3-10.ec2.internal:9864/webhdfs/v1/a/ip-127-0-0-1.ec2.internal?op=OPEN"
    assert event_logs.webhdfs.reachable(url).startswith("http://127.64.3.10:9864/webhdfs/v1/a/ip-127-0-0-1.")


def test_what_emr_would_have_forgotten_is_forgotten(place):
    for cluster, days in (("j-OLD", 31), ("j-NEW", 29)):
        file = event_logs.folder(place, cluster) / APP
        file.parent.mkdir(parents=True)
        file.write_text("{}")
        for one in (file, file.parent):
            os.utime(one, (time.time() - days * 24 * 3600,) * 2)
    event_logs.prune(place)
    assert [one.name for one in (place.region / "persistent-ui").iterdir()] == ["j-NEW"]


def test_a_cluster_s_end_takes_the_logs_along(launch, emr, monkeypatch):
    collected = []
    monkeypatch.setattr(event_logs, "collect", lambda *where: collected.append(where))
    life = launch(Applications=[{"Name": "Spark"}]).until_state("WAITING")
    address = life.told["MasterPublicDnsName"]
    collected.clear()
    life.ask("TerminateJobFlows", JobFlowIds=[life.id])
    life.until_state("TERMINATED")
    assert collected[-1] == (emr.home, life.id, address)
