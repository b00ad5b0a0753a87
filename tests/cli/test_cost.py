"""cost: the region's document about a cluster, for people and for programs."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from emrlab.cli.cost import lasted

MONEY = {"Ec2": 0.192, "Emr": 0.048, "Ebs": 0.0088, "Total": 0.2488}
DOCUMENT: dict[str, Any] = {
    "ClusterId": "j-1",
    "Name": "delays",
    "State": "WAITING",
    "AvailabilityZone": "us-east-1a",
    "Prices": "USD, Linux on-demand in us-east-1, as AWS listed them on 2025-05-28",
    "Cost": MONEY,
    "Unpriced": [],
    "Instances": [{"InstanceType": "m5.xlarge", "Market": "SPOT", "Seconds": 3671, "Cost": MONEY}],
    "Steps": [{"Name": "report", "Seconds": 60.0, "Cost": {name: value / 60 for name, value in MONEY.items()}}],
}


@pytest.fixture
def region(control: Any) -> Iterator[dict[str, Any]]:
    """Documents by path; anything else is not found."""
    documents = {"/_emrlab/costs/j-1": DOCUMENT}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = documents.get(self.path)
            self.send_response(200 if found else 404)
            self.end_headers()
            self.wfile.write(json.dumps(found or {"message": "none"}).encode())

        def log_message(self, *arguments: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    control.up().endpoint = f"http://127.0.0.1:{server.server_port}"
    yield documents
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def path(control: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from emrlab.region import control as stand_in

    monkeypatch.setattr(stand_in, "COSTS", "/_emrlab/costs/", raising=False)


def test_instances_cluster_and_steps_are_told_in_usd(emrlab_command, region):
    result = emrlab_command("cost", "j-1")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "delays (j-1), WAITING, in us-east-1a"
    assert lines[2].split() == ["m5.xlarge", "spot", "0.1920", "0.0480", "0.0088", "0.2488", "1:01:11"]
    assert lines[3].split() == ["cluster", "0.1920", "0.0480", "0.0088", "0.2488"]
    assert lines[4].split()[:2] == ["step", "report"]
    assert "2025-05-28" in lines[-1]


def test_what_has_no_price_is_said(emrlab_command, region):
    region["/_emrlab/costs/j-1"] = {**DOCUMENT, "Unpriced": ["m9.huge"]}
    assert "Without m9.huge" in emrlab_command("cost", "j-1").stdout


def test_programs_get_the_document(emrlab_command, region):
    assert json.loads(emrlab_command("cost", "j-1", "--json").stdout) == DOCUMENT


def test_an_unknown_cluster_says_where_the_known_ones_are(emrlab_command, region):
    result = emrlab_command("cost", "j-../2")
    assert (result.exit_code, "emrlab status --all" in result.stderr) == (1, True)


def test_without_a_region_it_says_how_to_start_one(emrlab_command, control):
    result = emrlab_command("cost", "j-1")
    assert (result.exit_code, "emrlab up" in result.stderr) == (1, True)


def test_a_region_that_does_not_answer_is_an_error_for_people(emrlab_command, control):
    control.up().endpoint = "http://127.0.0.1:1"
    result = emrlab_command("cost", "j-1")
    assert (result.exit_code, "emrlab doctor" in result.stderr) == (1, True)


@pytest.mark.parametrize(
    ("seconds", "told"), [(0, "0:00:00"), (61.4, "0:01:01"), (3671, "1:01:11"), (90000, "25:00:00")]
)
def test_durations_are_hours_minutes_and_seconds(seconds, told):
    assert lasted(seconds) == told
