"""Automatic scaling policies: what EMR takes, their alarms in CloudWatch, and the resizes they bring."""

from __future__ import annotations

import time

import pytest

from emrlab.emr.records import Group
from emrlab.emr.scaling import auto_scaling, watch
from emrlab.emr.scaling.scaling_alarms import unit
from emrlab.errors import AwsError

from .conftest import step

ROLE = "EMR_AutoScaling_DefaultRole"


def rule(name="out", adjustment=1, operator="LESS_THAN", threshold=15.0, cooldown=300, **alarm):
    simple = {"AdjustmentType": "CHANGE_IN_CAPACITY", "ScalingAdjustment": adjustment, "CoolDown": cooldown}
    definition = {
        "ComparisonOperator": operator,
        "EvaluationPeriods": 1,
        "MetricName": "YARNMemoryAvailablePercentage",
        "Namespace": "AWS/ElasticMapReduce",
        "Period": 300,
        "Threshold": threshold,
        "Statistic": "AVERAGE",
        "Unit": "PERCENT",
        "Dimensions": [{"Key": "JobFlowId", "Value": "${emr.clusterId}"}],
    }
    return {
        "Name": name,
        "Description": "",
        "Action": {"SimpleScalingPolicyConfiguration": simple},
        "Trigger": {"CloudWatchAlarmDefinition": definition | alarm},
    }


def policy(*rules, least=1, most=5):
    return {"Constraints": {"MinCapacity": least, "MaxCapacity": most}, "Rules": list(rules or [rule()])}


IN = rule("in", -1, "GREATER_THAN", 75.0)


@pytest.fixture(autouse=True)
def clock(emr, engines, cloudwatch, monkeypatch):
    """Five lab minutes are a second: the shortest period that an alarm's data points can be told apart in."""
    monkeypatch.setattr(watch, "SHORTEST", 0.05)
    emr.clock.set(300)


@pytest.fixture
def scaled(launch):
    """A cluster whose core group has such a policy; ``.group``: what is told of it."""

    def scaled(*rules, **limits):
        groups = [
            {"InstanceRole": "MASTER", "InstanceType": "m5.xlarge", "InstanceCount": 1},
            {"InstanceRole": "CORE", "InstanceType": "m5.xlarge", "InstanceCount": 1},
        ]
        if rules or limits:
            groups[1]["AutoScalingPolicy"] = policy(*rules, **limits)
        instances = {"InstanceGroups": groups, "InstanceCount": 0, "MasterInstanceType": "", "SlaveInstanceType": ""}
        life = launch(AutoScalingRole=ROLE, Instances=instances)
        life.group = lambda: life.ask("ListInstanceGroups", ClusterId=life.id)["InstanceGroups"][1]
        life.state_of_policy = lambda: life.group().get("AutoScalingPolicy", {}).get("Status", {}).get("State")
        return life

    return scaled


def attached(life):
    return life.state_of_policy() == "ATTACHED"


# Policies


def test_a_policy_of_a_new_cluster_is_attached_when_it_is_up(scaled, cloudwatch):
    life = scaled(rule(), IN).until(attached)
    told = life.group()["AutoScalingPolicy"]
    assert told["Status"] == {"State": "ATTACHED", "StateChangeReason": {"Message": ""}}
    assert told["Constraints"] == {"MinCapacity": 1, "MaxCapacity": 5}
    first = told["Rules"][0]
    assert first["Trigger"]["CloudWatchAlarmDefinition"]["Dimensions"] == [{"Key": "JobFlowId", "Value": life.id}]
    assert first["Action"] == rule()["Action"]
    alarm = cloudwatch.alarms[f"AWSEMR-{life.id}-{life.group()['Id']}-out"]
    assert alarm["Dimensions"] == [{"Name": "JobFlowId", "Value": life.id}]
    assert (alarm["Period"], alarm["EvaluationPeriods"], alarm["Threshold"]) == (300, 1, 15.0)
    assert (alarm["ComparisonOperator"], alarm["Statistic"], alarm["Unit"]) == (
        "LessThanThreshold",
        "Average",
        "Percent",
    )
    assert f"resource/elasticmapreduce/instancegroup/{life.id}/" in alarm["AlarmActions"][0]
    assert len(cloudwatch.alarms) == 2


def test_a_policy_is_put_replaced_and_removed(scaled, ask, cloudwatch):
    life = scaled().until_state("WAITING")
    assert life.group().get("AutoScalingPolicy") is None
    names = {"ClusterId": life.id, "InstanceGroupId": life.group()["Id"]}
    told = ask("PutAutoScalingPolicy", **names, AutoScalingPolicy=policy(rule(), IN))
    assert told["AutoScalingPolicy"]["Status"]["State"] == "PENDING"
    assert told["ClusterArn"].endswith(life.id)
    life.until(attached)
    ask("PutAutoScalingPolicy", **names, AutoScalingPolicy=policy(rule("other")))
    life.until(attached)
    assert list(cloudwatch.alarms) == [f"AWSEMR-{life.id}-{life.group()['Id']}-other"]
    ask("RemoveAutoScalingPolicy", **names)
    life.until(lambda life: life.state_of_policy() == "DETACHED")
    assert cloudwatch.alarms == {}
    ask("RemoveAutoScalingPolicy", **names)
    assert life.state_of_policy() == "DETACHED"


def test_alarms_go_with_their_cluster(scaled, ask, cloudwatch):
    life = scaled(rule()).until(attached)
    ask("TerminateJobFlows", JobFlowIds=[life.id])
    life.until(lambda life: not cloudwatch.alarms)


def test_alarms_of_a_killed_region_go_with_the_next_policy(scaled, cloudwatch):
    cloudwatch.put_metric_alarm(AlarmName="AWSEMR-j-OLD-ig-OLD-out")
    cloudwatch.put_metric_alarm(AlarmName="own")
    life = scaled(rule()).until(attached)
    assert sorted(cloudwatch.alarms) == [f"AWSEMR-{life.id}-{life.group()['Id']}-out", "own"]


def test_defaults_are_emrs(scaled, ask):
    life = scaled().until_state("WAITING")
    short = {
        "Name": "short",
        "Action": {"SimpleScalingPolicyConfiguration": {"ScalingAdjustment": 1}},
        "Trigger": {
            "CloudWatchAlarmDefinition": {
                **{"ComparisonOperator": "LESS_THAN", "MetricName": "IsIdle", "Period": 300, "Threshold": 1.0}
            }
        },
    }
    told = ask(
        "PutAutoScalingPolicy",
        ClusterId=life.id,
        InstanceGroupId=life.group()["Id"],
        AutoScalingPolicy=policy(short),
    )["AutoScalingPolicy"]["Rules"][0]
    assert told["Description"] == ""
    assert told["Action"]["SimpleScalingPolicyConfiguration"] == {
        "AdjustmentType": "CHANGE_IN_CAPACITY",
        "ScalingAdjustment": 1,
        "CoolDown": 0,
    }
    alarm = told["Trigger"]["CloudWatchAlarmDefinition"]
    assert (alarm["EvaluationPeriods"], alarm["Statistic"]) == (1, "AVERAGE")
    assert (alarm["Namespace"], alarm["Dimensions"][0]["Value"]) == ("AWS/ElasticMapReduce", life.id)


WRONG = {
    "order": (policy(least=5, most=1), "MinCapacity"),
    "negative": (policy(least=-1), "MinCapacity"),
    "no rules": ({**policy(), "Rules": []}, "at least one rule"),
    "names": (policy(rule(), rule()), "Rule names must be unique within a scaling policy"),
    "period": (policy(rule(Period=60)), "Period must be 300"),
    "periods": (policy(rule(EvaluationPeriods=0)), "EvaluationPeriods must be 1 or more"),
    "threshold": (policy(rule(threshold=-1.0)), "Threshold must be 0 or more"),
    "cooldown": (policy(rule(cooldown=-1)), "CoolDown must be 0 or more"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_emr_does_not_take_is_refused(scaled, ask, name):
    given, said = WRONG[name]
    life = scaled()
    with pytest.raises(AwsError, match=said) as caught:
        ask("PutAutoScalingPolicy", ClusterId=life.id, InstanceGroupId=life.group()["Id"], AutoScalingPolicy=given)
    assert caught.value.code == "ValidationException"


def test_a_policy_needs_the_clusters_role_from_its_beginning(launch, ask):
    life = launch()
    (core,) = [one for one in groups(ask, life) if one["InstanceGroupType"] == "CORE"]
    with pytest.raises(AwsError, match="needs the cluster's AutoScalingRole"):
        ask("PutAutoScalingPolicy", ClusterId=life.id, InstanceGroupId=core["Id"], AutoScalingPolicy=policy())


def test_a_group_that_is_added_brings_its_policy(scaled, launch, ask, cloudwatch):
    task = {"InstanceRole": "TASK", "InstanceType": "m5.xlarge", "InstanceCount": 1, "AutoScalingPolicy": policy()}
    life = scaled().until_state("WAITING")
    added = ask("AddInstanceGroups", JobFlowId=life.id, InstanceGroups=[task])["InstanceGroupIds"][0]
    life.until(lambda life: f"AWSEMR-{life.id}-{added}-out" in cloudwatch.alarms)
    other = launch().until_state("WAITING")
    with pytest.raises(AwsError, match="needs the cluster's AutoScalingRole"):
        ask("AddInstanceGroups", JobFlowId=other.id, InstanceGroups=[task])
    assert len(groups(ask, other)) == 2


def test_a_policys_life_is_told_as_events(scaled, emr, ask, monkeypatch):
    said = []
    monkeypatch.setattr(emr.events, "say", lambda *events: said.extend(one.detail.get("state") for one in events))
    life = scaled(rule()).until(attached)
    names = {"ClusterId": life.id, "InstanceGroupId": life.group()["Id"]}
    ask("PutAutoScalingPolicy", **names, AutoScalingPolicy=policy())
    life.until(attached)
    ask("RemoveAutoScalingPolicy", **names)
    life.until(lambda life: life.state_of_policy() == "DETACHED")
    assert [one for one in said if one] == ["PENDING", "ATTACHED", "PENDING", "ATTACHED", "DETACHED"]


def groups(ask, life):
    return ask("ListInstanceGroups", ClusterId=life.id)["InstanceGroups"]


def test_the_master_is_not_scaled(scaled, ask):
    life = scaled()
    master = groups(ask, life)[0]["Id"]
    with pytest.raises(AwsError, match="master instance group cannot have"):
        ask("PutAutoScalingPolicy", ClusterId=life.id, InstanceGroupId=master, AutoScalingPolicy=policy())
    with pytest.raises(AwsError, match="Instance group id 'ig-none' is not valid"):
        ask("PutAutoScalingPolicy", ClusterId=life.id, InstanceGroupId="ig-none", AutoScalingPolicy=policy())


def test_managed_and_automatic_scaling_exclude_each_other(scaled, ask):
    limits = {"UnitType": "Instances", "MinimumCapacityUnits": 1, "MaximumCapacityUnits": 2}
    managed = {"ManagedScalingPolicy": {"ComputeLimits": limits}}
    life = scaled(rule())
    names = {"ClusterId": life.id, "InstanceGroupId": life.group()["Id"]}
    with pytest.raises(AwsError, match="Remove the automatic scaling policies first"):
        ask("PutManagedScalingPolicy", ClusterId=life.id, **managed)
    ask("RemoveAutoScalingPolicy", **names)
    ask("PutManagedScalingPolicy", ClusterId=life.id, **managed)
    with pytest.raises(AwsError, match="Remove the managed scaling policy first"):
        ask("PutAutoScalingPolicy", **names, AutoScalingPolicy=policy())


@pytest.mark.parametrize("trust", [None, {"Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2"}}]}])
def test_a_role_that_scaling_may_not_assume_fails_the_policy(scaled, cloudwatch, trust):
    cloudwatch.trust = trust
    life = scaled(rule()).until(lambda life: life.state_of_policy() == "FAILED")
    assert life.group()["AutoScalingPolicy"]["Status"]["StateChangeReason"] == {
        "Code": "PROVISION_FAILURE",
        "Message": "Failed to provision the AutoScaling policy: Unable to assume IAM role: "
        f"arn:aws:iam::123456789012:role/{ROLE}",
    }
    assert cloudwatch.alarms == {}


# Resizes


def running(life):
    return life.group()["RunningInstanceCount"]


def test_a_group_grows_to_its_limit_while_its_alarm_lasts_and_shrinks_again(scaled, engines, cloudwatch):
    engines.be("spark")  # 3.6% of YARN's memory are free
    life = scaled(rule(cooldown=0), rule("in", -1, "GREATER_THAN", 75.0, cooldown=0), most=3)
    life.until(lambda life: running(life) == 3)
    states = {name.rpartition("-")[2]: state for name, state in cloudwatch.states.items()}
    assert states == {"out": "ALARM", "in": "OK"}
    assert life.group()["RequestedInstanceCount"] == 3
    engines.be("idle")
    life.until(lambda life: running(life) == 1)
    states = {name.rpartition("-")[2]: state for name, state in cloudwatch.states.items()}
    assert states == {"out": "OK", "in": "ALARM"}


def test_after_a_resize_a_cooldown_lasts(scaled, emr, engines):
    engines.be("spark")
    life = scaled(rule(cooldown=86400)).until(lambda life: running(life) == 2)
    watching = emr.beside.get(f"watch {life.id}")
    life.until(lambda life: life.group()["Id"] in watching.alarms.rests)
    pushes = {watching.pushed}

    def four_pushes(life):
        pushes.add(watching.pushed)
        return len(pushes) > 4

    life.until(four_pushes)
    assert life.group()["RequestedInstanceCount"] == 2
    watching.alarms.rests[life.group()["Id"]] = time.monotonic()  # the day is over
    life.until(lambda life: running(life) == 3)


def test_without_data_an_alarm_does_nothing(scaled, cloudwatch):
    life = scaled(rule(Namespace="Mine", Period=60, operator="GREATER_THAN", threshold=0.0)).until(attached)
    life.until(lambda life: list(cloudwatch.states.values()) == ["INSUFFICIENT_DATA"])
    assert life.group()["RequestedInstanceCount"] == 1


def test_a_metric_in_another_unit_is_no_data(scaled, cloudwatch):
    life = scaled(rule(Unit="COUNT", threshold=101.0)).until(attached)
    life.until(lambda life: list(cloudwatch.states.values()) == ["INSUFFICIENT_DATA"])


@pytest.fixture
def alarms(scaled, emr):
    """The alarms of a cluster whose thread does not use them, on a clock of true time."""
    life = scaled().until_state("WAITING")
    life.until(lambda life: emr.beside.get(f"watch {life.id}") is not None)
    found = emr.beside.get(f"watch {life.id}").alarms
    emr.clock.set(1)
    return found


def definition(**more):
    given = auto_scaling.alarm(rule(**more)["Trigger"]["CloudWatchAlarmDefinition"], "r", "j-1")
    return {**given, "MetricName": "Own"}


@pytest.mark.parametrize(
    ("statistic", "value"),
    [("AVERAGE", 20.0), ("SUM", 40.0), ("MINIMUM", 10.0), ("MAXIMUM", 30.0), ("SAMPLE_COUNT", 2)],
)
def test_a_periods_points_become_one_statistic(alarms, cloudwatch, statistic, value):
    for point, age in ((10.0, 20), (30.0, 100), (99.0, 400)):
        cloudwatch.point("Own", point, age)
    assert alarms.values(definition(Statistic=statistic), time.time()) == [value]


def test_all_periods_must_breach(alarms, cloudwatch):
    given = definition(EvaluationPeriods=3)
    for value, age in ((10.0, 0), (10.0, 295), (10.0, 605)):
        cloudwatch.point("Own", value, age)
    assert alarms.values(given, time.time()) == [10.0, 10.0, 10.0]
    assert alarms.alarm("a", given, time.time())
    cloudwatch.points[-1]["Value"] = 90.0
    assert not alarms.alarm("a", given, time.time())
    assert cloudwatch.states["a"] == "OK"
    del cloudwatch.points[-1]
    assert not alarms.alarm("a", given, time.time())  # one is missing: nothing new
    assert cloudwatch.states["a"] == "OK"


OPERATORS = [
    ("GREATER_THAN_OR_EQUAL", (False, True, True)),
    ("GREATER_THAN", (False, False, True)),
    ("LESS_THAN", (True, False, False)),
    ("LESS_THAN_OR_EQUAL", (True, True, False)),
]


@pytest.mark.parametrize(("operator", "expected"), OPERATORS)
def test_operators_compare_with_the_threshold(alarms, cloudwatch, operator, expected):
    for value, alarmed in zip((14.0, 15.0, 16.0), expected, strict=True):
        cloudwatch.points.clear()
        cloudwatch.point("Own", value)
        assert alarms.alarm("a", definition(operator=operator), time.time()) is alarmed


ADJUSTED = [
    ("CHANGE_IN_CAPACITY", 4, 2, 6),
    ("CHANGE_IN_CAPACITY", 4, -9, 1),
    ("CHANGE_IN_CAPACITY", 4, 99, 10),
    ("PERCENT_CHANGE_IN_CAPACITY", 4, 50, 6),
    ("PERCENT_CHANGE_IN_CAPACITY", 4, 10, 5),
    ("PERCENT_CHANGE_IN_CAPACITY", 4, -10, 3),
    ("PERCENT_CHANGE_IN_CAPACITY", 5, 35, 6),
    ("PERCENT_CHANGE_IN_CAPACITY", 8, -20, 7),
    ("EXACT_CAPACITY", 4, 7, 7),
    ("EXACT_CAPACITY", 4, 0, 1),
]


@pytest.mark.parametrize(("kind", "current", "amount", "wanted"), ADJUSTED)
def test_adjustments_stay_within_limits(kind, current, amount, wanted):
    adjustment = {"AdjustmentType": kind, "ScalingAdjustment": amount}
    assert auto_scaling.adjusted(current, adjustment, {"MinCapacity": 1, "MaxCapacity": 10}) == wanted


def test_of_several_alarmed_rules_the_one_with_most_instances_counts(scaled, engines, emr):
    engines.be("spark")
    life = scaled(rule("a", 1), rule("b", 3), rule("c", -1), most=9).until(lambda life: running(life) > 1)
    life.until(lambda life: running(life) == 4)


def test_core_nodes_stay_as_many_as_a_blocks_copies(scaled, emr, ask):
    site = {"Classification": "hdfs-site", "Properties": {"dfs.replication": "2"}}
    life = scaled()
    names = {"ClusterId": life.id, "InstanceGroupId": life.group()["Id"]}
    life.until_state("WAITING")
    emr.drivers[life.id].machines.site.master.settings["hdfs-site"] = site["Properties"]
    ask("ModifyInstanceGroups", InstanceGroups=[{"InstanceGroupId": names["InstanceGroupId"], "InstanceCount": 3}])
    life.until(lambda life: running(life) == 3)
    ask("PutAutoScalingPolicy", **names, AutoScalingPolicy=policy(rule("in", -5, "GREATER_THAN", 75.0), least=0))
    life.until(lambda life: running(life) == 2)
    assert emr.history.get(Group, names["InstanceGroupId"]).requested == 2


def test_a_step_goes_on_whatever_cloudwatch_does(scaled, emr, cloudwatch, monkeypatch):
    def broken(**_):
        raise RuntimeError("no CloudWatch")

    monkeypatch.setattr(cloudwatch, "put_metric_data", broken)
    monkeypatch.setattr(cloudwatch, "put_metric_alarm", broken)
    life = scaled(rule()).until_state("WAITING")
    life.add(step("works", "true"))
    life.until(lambda life: life.step_states() == ["COMPLETED"])
    life.until(lambda life: life.state_of_policy() == "ATTACHING")


UNITS = {
    "PERCENT": "Percent",
    "NONE": "None",
    "KILO_BYTES_PER_SECOND": "Kilobytes/Second",
    "MICRO_SECONDS": "Microseconds",
}


def test_units_are_cloudwatchs():
    assert {name: unit(name) for name in UNITS} == UNITS
