from __future__ import annotations

import base64
import re

import pytest

from emrlab.widgets.exercise import answer, panel
from emrlab.widgets.figure import figure
from emrlab.widgets.live import ESM, Live, live
from emrlab.widgets.page import Page, box, stylesheet


def test_what_is_shown_cannot_smuggle_html_in():
    page = box("bad", "<b>", "<script>")
    assert "<script>" not in page.markup
    assert page.text == "<b>\n<script>"


def test_style_and_script_ask_nobody_for_anything():
    assert not re.search(r"https?:|@import|url\(", stylesheet() + ESM)


def test_every_colour_follows_the_theme():
    colours = re.findall(r"[^(,\w-](#[0-9a-f]{3,6})", stylesheet())
    assert colours == []


def test_only_the_last_picture_stays_when_nobody_can_watch(capsys):
    with Live() as screen:
        screen.show(Page("<p>1</p>", "one"))
        screen.show(Page("<p>2</p>", "two"))
    assert capsys.readouterr().out == "two\n"


def test_what_need_not_stay_does_not(capsys):
    with Live(keep=False) as screen:
        screen.show(Page("<p>1</p>", "one"))
    assert capsys.readouterr().out == ""


def test_the_last_picture_stays_after_a_failure(capsys):
    def fail():
        with Live() as screen:
            screen.show(Page("", "one"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert capsys.readouterr().out == "one\n"


def test_a_solved_run_has_no_live_view(monkeypatch):
    monkeypatch.setenv("EMRLAB_SOLVE", "1")
    assert live() is False
    monkeypatch.setenv("EMRLAB_LIVE", "1")
    assert live() is True


def test_buttons_do_what_they_say():
    said = []
    actions = {
        name: (lambda name=name: said.append(name) or ("note", f"{name}!", ""))
        for name in ("Check", "Hint", "Solution")
    }
    shown = panel("Exercise q", ("warn", "replace the blank", ""), actions)
    assert repr(shown) == "Exercise q: replace the blank"
    for button in shown.children[1].children:
        button.click()
    assert said == ["Check", "Hint", "Solution"]
    assert shown._repr_mimebundle_()["text/plain"] == "Exercise q: Solution!"


def test_an_answer_shows_code_as_code():
    assert "<pre><code>a &lt; b</code></pre>" in answer("t", "note", "One solution:", "a < b").markup


def test_a_figure_has_words_and_is_closed():
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.switch_backend("agg")
    plot, axes = plt.subplots()
    axes.plot([1, 2])
    page = figure(plot, "A line <up>")
    assert page.text == "Figure: A line <up>"
    assert "alt='A line &lt;up&gt;'" in page.markup
    assert base64.b64decode(re.search(r"base64,([^']+)", page.markup)[1])[:4] == b"\x89PNG"
    assert plt.get_fignums() == []
