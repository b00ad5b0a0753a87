"""Sessions: their rules and lives, with a server of the test's own in the place of Spark Connect's."""

from __future__ import annotations

import sys
import time

import pytest

from emrlab.emr import recovery
from emrlab.emr.history import History
from emrlab.emr.interactive import session_run
from emrlab.emr.interactive.sessions import ACTIVE, Session
from emrlab.emr.service import EmrService
from emrlab.errors import AwsError
from emrlab.processes import owned

from .conftest import ACCOUNT

SERVER = """
import socket, sys, time
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind((sys.argv[1], int(sys.argv[2])))
listener.listen()
print(sys.argv[3:])
time.sleep(1000)
"""


@pytest.fixture
def servers(monkeypatch):
    """What servers are started with. Tests may change ``program``."""
    found = {"program": SERVER, "settings": []}

    def command(node, session, place, port, settings):
        found["settings"].append(settings)
        found["place"] = place
        return [sys.executable, "-c", found["program"], node.address, str(port)]

    monkeypatch.setattr(session_run.spark_connect, "command", command)
    return found


@pytest.fixture
def life(launch, servers):
    return launch(Applications=[{"Name": "Spark"}], SessionEnabled=True).until_state("WAITING")


@pytest.fixture
def start(ask, life):
    def start(**more):
        return ask("StartSession", **{"ClusterId": life.id, "Name": "mine", **more})

    return start


@pytest.fixture
def until(ask, life):
    def until(session: str, *states: str, seconds: float = 30):
        deadline = time.monotonic() + seconds
        while (told := ask("GetSession", ClusterId=life.id, SessionId=session)["Session"])["State"] not in states:
            assert time.monotonic() < deadline, told
            time.sleep(0.02)
        return told

    return until


def test_a_session_starts_serves_and_is_terminated(ask, emr, life, start, until, servers):
    states = []
    emr.history.watchers.append(lambda now, _: states.append(now.state) if isinstance(now, Session) else None)
    spark = {"Classification": "spark-defaults", "Properties": {"spark.executor.memory": "1g"}}
    told = start(EngineConfigurations=[spark], Tags=[{"Key": "a", "Value": "b"}])
    session = told["Id"]
    assert told == {
        "Id": session,
        "ClusterId": life.id,
        "Arn": f"arn:aws:elasticmapreduce:us-east-1:{ACCOUNT}:cluster/{life.id}/session/{session}",
        "AccountId": ACCOUNT,
        "State": "SUBMITTED",
    }
    told = until(session, "IDLE")
    assert life.told["SessionEnabled"] is True
    assert servers["settings"] == [{"spark.executor.memory": "1g"}]
    assert (told["Name"], told["ReleaseLabel"], told["SessionIdleTimeoutInMinutes"]) == ("mine", "emr-7.9.0", 60)
    assert (told["EngineConfigurations"], told["Tags"]) == ([spark], [{"Key": "a", "Value": "b"}])
    assert told["CreatedAt"] <= told["StartedAt"] <= told["IdleSince"]
    where = ask("GetSessionEndpoint", ClusterId=life.id, SessionId=session)
    assert where["Endpoint"] == told["ServerUrl"] == f"http://{life.told['MasterPublicDnsName']}:15002"
    end = int(where["AuthTokenExpirationTime"].timestamp())
    assert 3500 < end - time.time() <= 3600
    assert (servers["place"] / "tokens").read_text() == f"{where['AuthToken']} {end}\n"
    assert (servers["place"] / "tokens").stat().st_mode & 0o077 == 0
    assert ask("TerminateSession", ClusterId=life.id, SessionId=session)["State"] == "TERMINATING"
    told = until(session, "TERMINATED")
    assert told["StateChangeReason"] == "Terminated by user request"
    assert told["EndedAt"]
    assert list(dict.fromkeys(states)) == [
        *("SUBMITTED", "STARTING", "STARTED", "IDLE", "TERMINATING", "TERMINATED"),
    ]
    assert list(owned(emr.home)) == []
    for operation in ("TerminateSession", "GetSessionEndpoint"):
        with pytest.raises(AwsError, match="is TERMINATED"):
            ask(operation, ClusterId=life.id, SessionId=session)


def test_it_is_busy_while_its_server_says_so(start, until, servers):
    session = start()["Id"]
    until(session, "IDLE")
    for state in ("BUSY", "IDLE"):
        (servers["place"] / "activity").write_text(state)
        until(session, state)


def test_two_sessions_of_a_cluster_have_an_address_each(ask, life, start, until):
    first, second = start()["Id"], start()["Id"]
    for session in (first, second):
        until(session, "IDLE")
    where = {ask("GetSessionEndpoint", ClusterId=life.id, SessionId=one)["Endpoint"][-5:] for one in (first, second)}
    assert where == {"15002", "15003"}
    listed = ask("ListSessions", ClusterId=life.id, MaxResults=1)
    assert [one["Id"] for one in listed["Sessions"]] == [second]
    rest = ask("ListSessions", ClusterId=life.id, MaxResults=1, NextToken=listed["NextToken"])
    assert [one["Id"] for one in rest["Sessions"]] == [first]
    assert "NextToken" not in rest
    assert ask("ListSessions", ClusterId=life.id, SessionStates=["FAILED"])["Sessions"] == []


def test_an_idle_one_ends_by_itself_in_lab_time(emr, start, until):
    emr.clock.set(1000)
    told = until(start(SessionIdleTimeoutInMinutes=5)["Id"], "TERMINATED")
    assert told["StateChangeReason"] == "The session was idle for 5 minutes"


def test_a_server_that_does_not_come_up_tells_why(start, until, servers):
    servers["program"] = "raise ValueError('no such setting')"
    assert until(start()["Id"], "FAILED")["StateChangeReason"] == "ValueError: no such setting"


def test_the_cluster_s_end_is_the_session_s(ask, life, start, until):
    session = start()["Id"]
    until(session, "IDLE")
    ask("TerminateJobFlows", JobFlowIds=[life.id])
    assert until(session, "TERMINATED")["StateChangeReason"] == "The cluster was terminated"
    with pytest.raises(AwsError, match="is in state"):
        start()


def test_the_same_request_again_is_the_same_session(start):
    token = {"ClientRequestToken": "once"}
    assert start(**token)["Id"] == start(**token)["Id"] != start()["Id"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"Name": ""}, "Name is required"),
        ({"ClusterId": "j-NONE"}, "'j-NONE' is not valid"),
        ({"SessionIdleTimeoutInMinutes": 1441}, "must be from 1 to 1440"),
        ({"EngineConfigurations": [{"Classification": "hdfs-site"}]}, "Only runtime configuration overrides"),
        ({"ExecutionRoleArn": "arn:aws:iam::123456789012:role/r"}, "not emulated"),
        ({"MonitoringConfiguration": {"CloudWatchLoggingConfiguration": {"Enabled": True}}}, "not emulated"),
    ],
)
def test_what_cannot_start_is_refused(ask, life, start, more, message):
    with pytest.raises(AwsError, match=message):
        start(**more)
    assert ask("ListSessions", ClusterId=life.id)["Sessions"] == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"Applications": [{"Name": "Spark"}]}, "Sessions are not enabled"),
        ({"SessionEnabled": True}, "Spark is not installed"),
    ],
)
def test_a_cluster_must_have_sessions_and_spark(ask, launch, settings, message):
    life = launch(**settings).until_state("WAITING")
    with pytest.raises(AwsError, match=message):
        ask("StartSession", ClusterId=life.id, Name="mine")


def test_nobody_sees_another_cluster_s_session(ask, launch, start):
    session = start()["Id"]
    other = launch().until_state("WAITING")
    with pytest.raises(AwsError, match=f"'{session}' is not valid"):
        ask("GetSession", ClusterId=other.id, SessionId=session)


def test_after_a_killed_region_it_has_failed(place):
    before = History(place.region / "emr.sqlite")
    more = {"account": ACCOUNT, "region": "us-east-1", "name": "s", "release": "emr-7.9.0"}
    before.add(*(Session(f"is-{number}", "j-1", state, **more) for number, state in enumerate(ACTIVE)))
    before.close()
    service = EmrService(place, "http://127.0.0.1:1", ACCOUNT)
    recovery.recover(service)
    assert {one.state for one in service.history.of(Session, "j-1")} == {"FAILED"}
    service.stop()
