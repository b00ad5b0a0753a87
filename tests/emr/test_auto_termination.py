"""Auto-termination: who has a policy, what idle means, and what ends then."""

from __future__ import annotations

import pytest

from emrlab.emr.scaling import watch
from emrlab.errors import AwsError

from .conftest import ACCOUNT, step

MINUTE = {"IdleTimeout": 60}


@pytest.fixture(autouse=True)
def clock(emr, engines, cloudwatch, monkeypatch):
    """A lab minute is a fifth of a second; engines are idle."""
    monkeypatch.setattr(watch, "SHORTEST", 0.05)
    emr.clock.set(300)
    return emr.clock


def policy(ask, life):
    return ask("GetAutoTerminationPolicy", ClusterId=life.id).get("AutoTerminationPolicy")


def put(ask, life, **policy):
    ask("PutAutoTerminationPolicy", ClusterId=life.id, **({"AutoTerminationPolicy": policy} if policy else {}))


def test_a_policy_is_kept_changed_and_removed(ask, launch):
    life = launch()
    assert policy(ask, life) is None
    put(ask, life, IdleTimeout=604800)
    assert policy(ask, life) == {"IdleTimeout": 604800}
    put(ask, life)
    assert policy(ask, life) == {"IdleTimeout": 3600}  # EMR's default
    ask("RemoveAutoTerminationPolicy", ClusterId=life.id)
    ask("RemoveAutoTerminationPolicy", ClusterId=life.id)
    assert policy(ask, life) is None


@pytest.mark.parametrize("seconds", [0, 59, 604801, -1])
def test_a_timeout_is_from_a_minute_to_seven_days(ask, launch, seconds):
    life = launch()
    with pytest.raises(AwsError, match="IdleTimeout must be from 60 to 604800 seconds"):
        put(ask, life, IdleTimeout=seconds)
    with pytest.raises(AwsError, match="IdleTimeout must be from 60 to 604800 seconds"):
        launch(AutoTerminationPolicy={"IdleTimeout": seconds})


def test_only_the_owner_and_only_of_a_living_cluster(ask, launch):
    life = launch().until_state("WAITING")
    for name in ("PutAutoTerminationPolicy", "GetAutoTerminationPolicy", "RemoveAutoTerminationPolicy"):
        with pytest.raises(AwsError, match="is not valid"):
            ask(name, "210987654321", ClusterId=life.id)
    ask("TerminateJobFlows", JobFlowIds=[life.id])
    life.until_state("TERMINATED")
    with pytest.raises(AwsError, match="shutting down, terminated, or finished"):
        put(ask, life, IdleTimeout=60)
    assert ask("GetAutoTerminationPolicy", account=ACCOUNT, ClusterId=life.id) == {}


def test_a_cluster_that_is_idle_for_the_time_ends(launch, cloudwatch):
    life = launch(AutoTerminationPolicy=MINUTE).until_state("TERMINATED")
    assert life.reason["Message"] == "Terminated by the auto-termination policy: idle for 60 seconds"
    assert cloudwatch.values("AutoTerminationIsClusterIdle", life.id)[0] == 1


def test_protection_does_not_keep_a_cluster_from_its_own_policy(launch):
    launch(AutoTerminationPolicy=MINUTE, Instances={"TerminationProtected": True}).until_state("TERMINATED")


def test_without_a_policy_an_idle_cluster_lives_on(ask, launch):
    first, second = launch(AutoTerminationPolicy=MINUTE), launch(AutoTerminationPolicy=MINUTE)
    other = launch().until_state("WAITING")
    second.until(lambda life: life.state in ("BOOTSTRAPPING", "WAITING"))
    ask("RemoveAutoTerminationPolicy", ClusterId=second.id)
    first.until_state("TERMINATED")
    assert second.state == other.state == "WAITING"


BUSY = {
    "an application of YARN": lambda engines: engines.be("spark"),
    "one that waits": lambda engines: engines.metrics.update(appsPending=1),
    "HDFS": lambda engines: engines.answers["9870/jmx?NameNodeInfo"]["beans"][0].update(PercentUsed=10.0),
    "engines that do not answer": lambda engines: engines.fall_silent(),
}


@pytest.mark.parametrize("what", BUSY)
def test_a_cluster_in_use_is_not_idle(launch, emr, engines, cloudwatch, what):
    BUSY[what](engines)
    control = launch()
    life = launch(AutoTerminationPolicy=MINUTE).until_state("WAITING")
    if engines.answers:
        life.until(lambda life: len(cloudwatch.values("AutoTerminationIsClusterIdle", life.id)) > 3)
        assert set(cloudwatch.values("AutoTerminationIsClusterIdle", life.id)) == {0}
    assert life.state == control.until_state("WAITING").state
    engines.be("idle")
    life.until_state("TERMINATED")


def test_a_step_keeps_a_cluster_from_being_idle(launch, cloudwatch):
    life = launch(AutoTerminationPolicy=MINUTE, Steps=[step("long", "sleep", "1")]).until_state("RUNNING")
    life.until(lambda life: life.step_states() == ["COMPLETED"])
    assert set(cloudwatch.values("AutoTerminationIsClusterIdle", life.id)) == {0}
    life.until_state("TERMINATED")


def test_an_interface_that_is_opened_is_use(launch, emr, cloudwatch):
    life = launch(AutoTerminationPolicy={"IdleTimeout": 604800}).until_state("WAITING")
    link = emr.links.to(f"http://{life.told['MasterPublicDnsName']}:18080/")
    idle = lambda: cloudwatch.values("AutoTerminationIsClusterIdle", life.id)  # noqa: E731
    life.until(lambda life: idle()[-1:] == [1])

    def opened(life):
        assert emr.links.target(link.rpartition("/")[2])
        return idle()[-1] == 0

    life.until(opened)
    life.until(lambda life: idle()[-1] == 1)


def test_isbusy_keeps_a_cluster_alive_while_it_is_touched(launch, emr):
    life = launch(AutoTerminationPolicy={"IdleTimeout": 120}).until_state("WAITING")
    file = emr.drivers[life.id].machines.master.path("emr", "metricscollector", "isbusy")
    life.until(lambda life: file.parent.is_dir())
    watching = emr.beside.get(f"watch {life.id}")
    seen = {watching.reading.moment}

    def touched(life):
        file.touch()
        seen.add(watching.reading.moment)
        return len(seen) > 12  # readings, each with some of the timeout

    life.until(touched)
    assert life.state == "WAITING"
    life.until_state("TERMINATED")


def test_a_policy_that_is_changed_counts_anew(launch, ask, emr):
    life = launch(AutoTerminationPolicy={"IdleTimeout": 3600}).until_state("WAITING")
    life.until(lambda life: emr.beside.get(f"watch {life.id}") is not None)
    watching = emr.beside.get(f"watch {life.id}")
    seen = set()

    def some_time(life):
        if watching.reading:
            seen.add(watching.reading.moment)
        return len(seen) > 3

    life.until(some_time)
    put(ask, life, IdleTimeout=120)
    seen.clear()
    life.until(lambda life: some_time(life) or life.state != "WAITING")
    life.until_state("TERMINATED")
    assert life.reason["Message"].endswith("idle for 120 seconds")
