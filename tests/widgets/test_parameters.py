from __future__ import annotations

import pytest

from emrlab.errors import LabError
from emrlab.widgets.parameters import Choice, Parameters, Several, Whole, panel

NODES = Whole("Core nodes", 1, 4, 2)
TYPE = Choice("Type", ["m5.xlarge", "r5.xlarge"])
APPS = Several("Applications", ["Hadoop", "Spark", "Hive"], default=["Spark"], needed=["Hadoop"])


def parameters(**more):
    return Parameters({"core_nodes": NODES, "kind": TYPE, "applications": APPS}, **more)


def test_defaults_are_plain_values():
    assert parameters().values() == {"core_nodes": 2, "kind": "m5.xlarge", "applications": ["Hadoop", "Spark"]}


def test_the_environment_chooses_other_values(monkeypatch):
    monkeypatch.setenv("EMRLAB_PARAM_CORE_NODES", "4")
    monkeypatch.setenv("EMRLAB_PARAM_APPLICATIONS", "Hive, Hadoop")
    chosen = parameters()
    assert (chosen.core_nodes, chosen.applications) == (4, ["Hadoop", "Hive"])


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("CORE_NODES", "9", "from 1 to 4"),
        ("CORE_NODES", "two", "whole number"),
        ("KIND", "m5.xxl", "m5.xlarge, r5.xlarge"),
        ("APPLICATIONS", "Spark", "with Hadoop"),
        ("APPLICATIONS", "Hadoop,Word", "Hadoop, Spark, Hive"),
    ],
)
def test_an_invalid_value_is_explained(monkeypatch, name, text, told):
    monkeypatch.setenv(f"EMRLAB_PARAM_{name}", text)
    with pytest.raises(LabError, match=f"EMRLAB_PARAM_{name}={text}") as error:
        parameters()
    assert told in str(error.value)


def test_values_that_do_not_fit_each_other_are_explained():
    def too_many(values):
        return "Too many. Choose fewer nodes." if values["core_nodes"] > 1 else None

    with pytest.raises(LabError, match="Choose fewer"):
        parameters(objection=too_many)


def test_an_unknown_parameter_names_the_known_ones():
    with pytest.raises(AttributeError, match="core_nodes, kind, applications"):
        _ = parameters().nodes


def test_moving_a_widget_changes_value_and_consequence():
    chosen = parameters(consequences=lambda values: [("Price", f"${values['core_nodes']}")])
    shown = panel(chosen)
    slider = shown.children[0].children[0]
    slider.value = 3
    assert chosen.core_nodes == 3
    assert "$3" in shown.children[-1].value


def test_a_needed_application_cannot_be_left_out_in_the_panel():
    chosen = parameters()
    boxes = panel(chosen).children[2].children[0].children[1:]
    assert [box.disabled for box in boxes] == [True, False, False]
    boxes[2].value = True
    assert chosen.applications == ["Hadoop", "Spark", "Hive"]


def test_an_objection_shows_in_the_panel():
    chosen = parameters(objection=lambda values: "Too many." if values["core_nodes"] > 3 else None)
    shown = panel(chosen)
    shown.children[0].children[0].value = 4
    assert "Too many." in shown.children[-1].value


def test_without_a_browser_the_panel_is_words():
    chosen = parameters(consequences=lambda values: [("Price", "$1")])
    data = panel(chosen)._repr_mimebundle_()
    assert data["text/plain"] == "Core nodes: 2\nType: m5.xlarge\nApplications: Hadoop, Spark\nPrice: $1"
    assert "m5.xlarge" in data["text/html"]
