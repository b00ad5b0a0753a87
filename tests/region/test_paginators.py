"""boto3's paginators and waiters, all that the EMR client has, against a region with a long past."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import WaiterError

from emrlab.emr.account import SecurityConfiguration, SessionMapping, Studio
from emrlab.emr.history import History
from emrlab.emr.interactive.notebooks import NotebookExecution
from emrlab.emr.interactive.sessions import Session
from emrlab.emr.records import Cluster, Fleet, Group, Instance, Record, Step
from emrlab.home import Home

pytestmark = pytest.mark.region
Aws = Callable[..., Any]
OWNER = ("123456789012", "us-east-1")
ON, FLEETS, STUDIO = "j-00000000000A0", "j-00000000000B0", "es-0000000000000000000000000"
ACTION = {"Name": "b", "ScriptBootstrapAction": {"Path": "s3://b/c", "Args": []}}
# Operation → what it is asked, where an item's id is, how many there are, and how many fit on a page.
LISTS: dict[str, tuple[dict[str, Any], str, int, int]] = {
    "ListBootstrapActions": ({"ClusterId": ON}, "Name", 16, 16),
    "ListClusters": ({}, "Id", 122, 50),
    "ListInstanceFleets": ({"ClusterId": FLEETS}, "Id", 3, 50),
    "ListInstanceGroups": ({"ClusterId": ON}, "Id", 50, 500),
    "ListInstances": ({"ClusterId": ON}, "Id", 1100, 500),
    "ListNotebookExecutions": ({}, "NotebookExecutionId", 120, 50),
    "ListSecurityConfigurations": ({}, "Name", 120, 50),
    "ListSessions": ({"ClusterId": ON}, "Id", 120, 50),
    "ListSteps": ({"ClusterId": ON}, "Id", 120, 50),
    "ListStudioSessionMappings": ({"StudioId": STUDIO}, "IdentityName", 120, 50),
    "ListStudios": ({}, "StudioId", 101, 50),
}


def cluster(name: str, state: str, collection: str = "INSTANCE_GROUP") -> Cluster:
    actions = [{**ACTION, "Name": f"b{number}"} for number in range(16)]
    found = Cluster(name, name, state, *OWNER, name, "emr-7.9.0", ["Hadoop"], True, False, bootstrap_actions=actions)
    found.collection = collection
    return found


def past() -> Iterator[Record]:
    """What a region has after a long time: all of it is over."""
    yield cluster(ON, "TERMINATED")
    yield cluster(FLEETS, "TERMINATED_WITH_ERRORS", "INSTANCE_FLEET")
    for number in range(3):
        yield Fleet(f"if-{number:013}", FLEETS, "TERMINATED", "f", ("MASTER", "CORE", "TASK")[number])
    for number in range(50):
        yield Group(f"ig-{number:013}", ON, "TERMINATED", "g", "TASK", "m5.xlarge", 0)
    for number in range(1100):
        yield Instance(f"ci-{number:013}", ON, "TERMINATED", "ig-0000000000000", f"i-{number:017}", "m5.xlarge")
    for number in range(120):
        yield cluster(f"j-{number:013}", "TERMINATED")
        yield Step(f"s-{number:013}", ON, "FAILED" if number else "COMPLETED", "s", "command-runner.jar")
        yield Session(f"is-{number:013}", ON, "TERMINATED", *OWNER, "s", "emr-7.9.0")
        yield NotebookExecution(f"ex-{number:029}", ON, "FINISHED", *OWNER, "s3://b/n.ipynb", "s3://b/out/n.ipynb")
        yield SecurityConfiguration(f"c{number}", "", "ACTIVE", *OWNER, f"c{number}", "{}")
        yield SessionMapping(
            f"m{number}",
            STUDIO,
            "ACTIVE",
            *OWNER,
            "USER",
            f"id{number}",
            f"n{number}",
            "arn:aws:iam::aws:policy/x",
            1.0,
        )
    for number in range(100):
        yield Studio(f"es-{number + 1:025}", "", "ACTIVE", *OWNER, f"s{number}", "SSO", "vpc-1", ["subnet-1"], {})
    yield Studio(STUDIO, "", "ACTIVE", *OWNER, "first", "SSO", "vpc-1", ["subnet-1"], {})


@pytest.fixture(scope="module", autouse=True)
def written(home: Home) -> None:
    """Before the region starts."""
    history = History(Path(home.region) / "emr.sqlite")
    with history.transaction():
        for record in past():
            history.add(record)
    history.close()


def test_no_paginator_is_missing() -> None:
    assert set(botocore.session.get_session().get_paginator_model("emr")._paginator_config) == set(LISTS)


@pytest.mark.parametrize("operation", LISTS)
def test_each_item_comes_once(operation: str, aws: Aws) -> None:
    asked, name, count, size = LISTS[operation]
    emr = aws("emr")
    method = next(one for one, of in emr.meta.method_to_api_mapping.items() if of == operation)
    pages = list(emr.get_paginator(method).paginate(**asked))
    (key,) = emr.get_paginator(method).paginate(**asked).result_keys
    found = [item[name] for page in pages for item in page[key.expression]]
    assert len(pages) == -(-count // size)
    assert [len(page[key.expression]) for page in pages[:-1]] == [size] * (len(pages) - 1)
    assert len(found) == len(set(found)) == count
    # A token of the client's own goes on in the middle of a page.
    cut = emr.get_paginator(method).paginate(**asked, PaginationConfig={"MaxItems": count - 1}).build_full_result()
    rest = emr.get_paginator(method).paginate(**asked, PaginationConfig={"StartingToken": cut["NextToken"]})
    assert [item[name] for page in rest for item in page[key.expression]][-1] == found[-1]


WAITS: dict[str, tuple[dict[str, str], dict[str, str]]] = {  # what is reached, what never will be
    "cluster_running": ({}, {"ClusterId": FLEETS}),
    "cluster_terminated": ({"ClusterId": ON}, {"ClusterId": FLEETS}),
    "step_complete": ({"ClusterId": ON, "StepId": f"s-{0:013}"}, {"ClusterId": ON, "StepId": f"s-{1:013}"}),
}


def test_no_waiter_is_missing(aws: Aws) -> None:
    assert set(aws("emr").waiter_names) == set(WAITS)


@pytest.mark.parametrize("name", WAITS)
def test_a_waiter_ends_at_once(name: str, aws: Aws) -> None:
    """On what has come, and on what cannot come any more. Clusters that run: see the tests on real ones."""
    reached, never = WAITS[name]
    waiter = aws("emr").get_waiter(name)
    once = {"Delay": 0, "MaxAttempts": 1}
    if reached:
        waiter.wait(**reached, WaiterConfig=once)
    with pytest.raises(WaiterError, match="terminal failure state"):
        waiter.wait(**never, WaiterConfig=once)
