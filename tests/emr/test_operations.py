"""Operations as clients see them: answers that fit the model, errors, pages, other accounts."""

from __future__ import annotations

import time

import pytest
from botocore.session import Session

from emrlab.emr import shapes
from emrlab.emr.operations import clusters, steps
from emrlab.emr.records import Cluster, Instance, Step
from emrlab.emr.registry import OPERATIONS
from emrlab.errors import AwsError
from emrlab.region import models, protocol

from .conftest import step, wanted

MODEL = Session().get_service_model("emr")
FIRST_PART = {
    *("RunJobFlow", "DescribeCluster", "ListClusters", "ListInstances", "ListInstanceGroups", "AddJobFlowSteps"),
    *("DescribeStep", "ListSteps", "CancelSteps", "ListBootstrapActions", "TerminateJobFlows"),
    *("SetTerminationProtection", "SetKeepJobFlowAliveWhenNoSteps", "AddTags", "RemoveTags", "ListReleaseLabels"),
    *("DescribeReleaseLabel", "ListSupportedInstanceTypes"),
}


def record(number, **more):
    fields = {"account": "123456789012", "region": "us-east-1", "name": f"c{number}", "release": "emr-7.9.0"}
    fields |= {"applications": ["Hadoop"], "keep_alive": True, "protected": False, "created": 1000.0 + number}
    return Cluster(f"j-{number:03}", f"j-{number:03}", more.pop("state", "TERMINATED"), **(fields | more))


def test_the_first_part_of_the_api_is_there_and_knows_no_other_name():
    assert FIRST_PART <= set(OPERATIONS) <= set(MODEL.operation_names)


def test_what_is_not_built_says_so_from_one_place(ask, monkeypatch):
    monkeypatch.delitem(OPERATIONS, "ListStudios")
    with pytest.raises(AwsError, match="The operation ListStudios is not emulated by emrlab"):
        ask("ListStudios")


def test_answers_fit_the_model(ask, launch, caplog):
    life = launch(Steps=[step("bad", "false")], Tags=[{"Key": "a", "Value": "b"}]).until_state("WAITING")
    life.until(lambda one: one.step_states() == ["FAILED"])
    (failed,) = life.steps()
    asked = {
        "DescribeCluster": {"ClusterId": life.id},
        "ListClusters": {},
        "ListInstances": {"ClusterId": life.id},
        "ListInstanceGroups": {"ClusterId": life.id},
        "ListBootstrapActions": {"ClusterId": life.id},
        "DescribeStep": {"ClusterId": life.id, "StepId": failed["Id"]},
        "ListSteps": {"ClusterId": life.id},
        "ListReleaseLabels": {},
        "DescribeReleaseLabel": {"ReleaseLabel": "emr-7.9.0"},
        "ListSupportedInstanceTypes": {"ReleaseLabel": "emr-7.9.0"},
    }
    for name, params in asked.items():
        call = protocol.Call("emr", name, "json")
        content = protocol.json_answer(call, ask(name, **params))
        check(models.operation("emr", name).output_shape, protocol.json.loads(content.body), name)
    assert "has no member" not in caplog.text  # nothing is told that the model does not know


def check(shape, value, path):
    """``value`` (of JSON) has the model's types and values of its enums."""
    kind = shape.type_name
    if kind == "structure":
        for name, one in value.items():
            check(shape.members[name], one, f"{path}.{name}")
    elif kind == "list":
        for one in value:
            check(shape.member, one, f"{path}[]")
    elif kind == "map":
        for one in value.values():
            check(shape.value, one, f"{path}{{}}")
    else:
        types = {"string": str, "boolean": bool, "timestamp": (int, float)}.get(kind, (int, float))
        assert isinstance(value, types), path
        assert not getattr(shape, "enum", None) or value in shape.enum, path


def test_an_unknown_cluster_is_an_error_of_the_operations_own_kind(ask):
    for name in ("DescribeCluster", "ListSteps", "ListInstances", "ListInstanceGroups", "ListBootstrapActions"):
        with pytest.raises(AwsError, match="Cluster id 'j-none' is not valid") as refused:
            ask(name, ClusterId="j-none")
        assert refused.value.code == "InvalidRequestException"
        assert refused.value.members == {"ErrorCode": "InvalidRequest"}
    for name, params in {
        "TerminateJobFlows": {"JobFlowIds": ["j-none"]},
        "AddJobFlowSteps": {"JobFlowId": "j-none", "Steps": []},
        "SetTerminationProtection": {"JobFlowIds": ["j-none"], "TerminationProtected": True},
    }.items():
        with pytest.raises(AwsError, match="Specified job flow ID not valid") as refused:
            ask(name, **params)
        assert refused.value.code == "ValidationException"


def test_accounts_do_not_see_each_other(ask, launch):
    life = launch().until_state("WAITING")
    other = "210987654321"
    assert ask("ListClusters", account=other)["Clusters"] == []
    with pytest.raises(AwsError, match="is not valid"):
        ask("DescribeCluster", account=other, ClusterId=life.id)
    with pytest.raises(AwsError, match="not valid"):
        ask("TerminateJobFlows", account=other, JobFlowIds=[life.id])


def test_a_step_of_another_cluster_is_not_found(ask, emr):
    emr.history.add(record(1), record(2), Step("s-1", "j-001", "COMPLETED", "n", "x.jar"))
    assert ask("DescribeStep", ClusterId="j-001", StepId="s-1")["Step"]["Id"] == "s-1"
    with pytest.raises(AwsError, match="Step id 's-1' is not valid"):
        ask("DescribeStep", ClusterId="j-002", StepId="s-1")


# Lists and pages


def test_clusters_come_newest_first_in_pages_that_new_ones_do_not_shift(ask, emr):
    count = clusters.PAGE + 7
    emr.history.add(*(record(number) for number in range(count)))
    first = ask("ListClusters")
    emr.history.add(record(900))
    second = ask("ListClusters", Marker=first["Marker"])
    assert len(first["Clusters"]) == clusters.PAGE
    names = [one["Name"] for one in first["Clusters"] + second["Clusters"]]
    assert names == [f"c{number}" for number in reversed(range(count))]
    assert "Marker" not in second


def test_clusters_are_found_by_state_and_time(ask, emr):
    emr.history.add(record(1), record(2, state="WAITING"), record(3, state="TERMINATED_WITH_ERRORS"))
    listed = ask("ListClusters", ClusterStates=["WAITING", "TERMINATED_WITH_ERRORS"])["Clusters"]
    assert [one["Name"] for one in listed] == ["c3", "c2"]
    moment = shapes.moment(1002.0)
    assert [one["Name"] for one in ask("ListClusters", CreatedAfter=moment)["Clusters"]] == ["c3", "c2"]
    assert [one["Name"] for one in ask("ListClusters", CreatedBefore=moment)["Clusters"]] == ["c2", "c1"]


def test_steps_come_newest_first_in_pages(ask, emr):
    count = steps.PAGE + 3
    emr.history.add(record(1), *(Step(f"s-{n}", "j-001", "COMPLETED", f"n{n}", "x.jar") for n in range(count)))
    first = ask("ListSteps", ClusterId="j-001")
    second = ask("ListSteps", ClusterId="j-001", Marker=first["Marker"])
    names = [one["Name"] for one in first["Steps"] + second["Steps"]]
    assert names == [f"n{n}" for n in reversed(range(count))]
    picked = ask("ListSteps", ClusterId="j-001", StepIds=["s-3", "s-1"])["Steps"]
    assert [one["Id"] for one in picked] == ["s-3", "s-1"]
    assert ask("ListSteps", ClusterId="j-001", StepStates=["FAILED"])["Steps"] == []


@pytest.mark.parametrize("marker", ["nonsense", "ZW1ybGFiOngK", "é", "1"])
def test_a_marker_that_is_not_ours_is_refused(ask, emr, marker):
    emr.history.add(record(1))
    with pytest.raises(AwsError, match="Marker is not valid") as refused:
        ask("ListSteps", ClusterId="j-001", Marker=marker)
    assert refused.value.code == "InvalidRequestException"


def test_instances_of_fleets_are_refused_for_a_cluster_of_groups(ask, emr):
    emr.history.add(record(1))
    with pytest.raises(AwsError, match="mutually exclusive"):
        ask("ListInstances", ClusterId="j-001", InstanceFleetType="MASTER")
    with pytest.raises(AwsError, match="Instance group id 'ig-none' is not valid"):
        ask("ListInstances", ClusterId="j-001", InstanceGroupId="ig-none")


# Tags, releases, types


def test_tags_are_added_replaced_and_removed(ask, emr):
    emr.history.add(record(1, state="WAITING", tags={"a": "1"}))
    ask("AddTags", ResourceId="j-001", Tags=[{"Key": "a", "Value": "2"}, {"Key": "b"}])
    told = ask("DescribeCluster", ClusterId="j-001")["Cluster"]["Tags"]
    assert told == [{"Key": "a", "Value": "2"}, {"Key": "b", "Value": ""}]
    ask("RemoveTags", ResourceId="j-001", TagKeys=["a", "none"])
    assert ask("DescribeCluster", ClusterId="j-001")["Cluster"]["Tags"] == [{"Key": "b", "Value": ""}]
    with pytest.raises(AwsError, match="may have 50 tags"):
        ask("AddTags", ResourceId="j-001", Tags=[{"Key": str(n), "Value": ""} for n in range(60)])


def test_releases_have_the_locks_applications(ask):
    labels = ask("ListReleaseLabels")["ReleaseLabels"]
    assert "emr-7.9.0" in labels
    told = ask("DescribeReleaseLabel", ReleaseLabel="emr-7.9.0")["Applications"]
    assert [one["Name"] for one in told] == ["Hadoop", "Spark"]
    version = told[1]["Version"]
    assert ask("ListReleaseLabels", Filters={"Application": f"spark@{version}"})["ReleaseLabels"] == labels
    assert ask("ListReleaseLabels", Filters={"Application": "spark@1.0"})["ReleaseLabels"] == []
    assert ask("ListReleaseLabels", Filters={"Prefix": "emr-6"})["ReleaseLabels"] == []
    page = ask("ListReleaseLabels", MaxResults=2)
    assert page["ReleaseLabels"] + ask("ListReleaseLabels", NextToken=page["NextToken"])["ReleaseLabels"] == labels
    with pytest.raises(AwsError, match="release label is invalid"):
        ask("DescribeReleaseLabel", ReleaseLabel="emr-1.0.0")


def test_instance_types_carry_their_published_figures(ask):
    told = ask("ListSupportedInstanceTypes", ReleaseLabel="emr-7.9.0")["SupportedInstanceTypes"]
    (one,) = [each for each in told if each["Type"] == "m5.xlarge"]
    assert (one["VCPU"], one["MemoryGB"], one["EbsStorageOnly"], one["Architecture"]) == (4, 16.0, True, "x86_64")
    assert len(told) > 60
    assert {one["Architecture"] for one in told} == {"x86_64", "ARM64"}


def test_every_begun_hour_of_an_instance_counts_by_its_size(ask, emr):
    node = Instance("ci-1", "j-001", "TERMINATED", "ig-1", "i-1", "m5.2xlarge", created=0.0, ended=3700.0)
    other = Instance("ci-2", "j-001", "RUNNING", "ig-1", "i-2", "m5.xlarge", created=time.time())
    emr.history.add(record(1), node, other)
    assert ask("DescribeCluster", ClusterId="j-001")["Cluster"]["NormalizedInstanceHours"] == 2 * 16 + 8


def test_more_than_256_active_steps_are_refused_and_none_is_added(ask, emr):
    emr.history.add(record(1, state="WAITING"), *(Step(f"s-{n}", "j-001", "PENDING", "n", "x") for n in range(250)))
    with pytest.raises(AwsError, match="Maximum number of active steps"):
        ask("AddJobFlowSteps", JobFlowId="j-001", Steps=[step("a", "true")] * 7)
    assert len(emr.history.of(Step, "j-001")) == 250


def test_a_cluster_without_a_log_uri_tells_none(ask, launch):
    params = {name: value for name, value in wanted().items() if name != "LogUri"}
    cluster_id = ask("RunJobFlow", **params)["JobFlowId"]
    assert ask("DescribeCluster", ClusterId=cluster_id)["Cluster"]["LogUri"] is None  # left out of the answer
