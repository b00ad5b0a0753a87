from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from emrlab.widgets.cluster import Node
from emrlab.widgets.cluster_map import cluster_map, size
from tests.widgets.conftest import some_cluster, some_step


class Balance(HTMLParser):
    """Finds a tag that is closed in the wrong place, or never."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("state", ["STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING", "TERMINATED_WITH_ERRORS"])
def test_the_picture_is_well_formed_and_says_where_the_cluster_is(state):
    page = cluster_map(some_cluster(state, steps=(some_step(), some_step("FAILED", reason="<boom>")), reason="<why>"))
    balance = Balance()
    balance.feed(page.markup)
    assert balance.open == []
    assert page.markup.count("aria-current") == 1
    assert "<boom>" not in page.markup
    assert "<why>" not in page.markup


def test_the_words_have_neither_ids_nor_addresses():
    text = cluster_map(some_cluster(steps=(some_step("COMPLETED"),))).text
    assert text == "Cluster first: WAITING. 1 master node, 2 core nodes. Steps: 1 completed."


def test_the_words_about_a_step():
    cluster = some_cluster(steps=(some_step("COMPLETED"),))
    assert cluster_map(cluster, "s-1A").text == "Step 'Delays' on cluster first: COMPLETED."


def test_all_markup_is_marked_as_varying():
    markup = cluster_map(some_cluster()).markup
    assert re.fullmatch(r"(?s)<!--varies-->.*<!--/varies-->", markup)


def test_states_are_told_in_words_not_by_colour_alone():
    node = Node("TASK", "i-0d", "m5.xlarge", "BOOTSTRAPPING")
    markup = cluster_map(some_cluster(nodes=(node,))).markup
    assert "◌ bootstrapping" in markup


def test_every_node_can_be_opened_by_keyboard_and_links_to_its_pages():
    markup = cluster_map(some_cluster()).markup
    assert markup.count("<summary>") == 3
    assert "http://127.66.1.11:8042/" in markup
    assert "http://" not in cluster_map(some_cluster("TERMINATED")).markup


def test_sizes_for_people():
    assert [size(number) for number in (0, 1536, 5 * 2**30, 3 * 2**40)] == ["0 B", "1.5 KiB", "5.0 GiB", "3.0 TiB"]
