"""Labs as a learner meets them: a real JupyterLab in a real headless browser."""

from __future__ import annotations

import os

import pytest

from emrlab.home import Home
from emrlab.processes import owned
from emrlab.region import control

from .jupyterlab import browser, chromium, errors, jupyterlab, new_page, open_notebook, run_all

LAB = "1-clusters/1.1-first-cluster.ipynb"
pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        chromium() is None and not os.environ.get("CI"), reason="no Chromium here: apt install chromium, then try again"
    ),
]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return Home(tmp_path_factory.mktemp("home").resolve())


@pytest.fixture(scope="module")
def solved(home):
    """JupyterLab whose exercises run their reference solutions."""
    with jupyterlab({"EMRLAB_HOME": str(home.root), "EMRLAB_SOLVE": "1", "EMRLAB_LIVE": "1"}) as found:
        yield found
    control.down(home)
    assert list(owned(home)) == []


@pytest.fixture(scope="module")
def app():
    with browser() as found:
        yield found


@pytest.fixture(scope="module")
def page(solved, app):
    found = new_page(app)
    open_notebook(found, *solved, LAB)
    return found


# What the cluster's maps say while cells run: the states that a step and a cluster were seen in.
WATCH = """() => {
  window.seen = new Set();
  const look = () => {
    for (const map of document.querySelectorAll('.emr-map')) {
      window.seen.add(map.querySelector('.emr-badge').textContent);
      for (const step of map.querySelectorAll('.emr-steps .emr-bar')) window.seen.add('a step on its way');
    }
  };
  new MutationObserver(look).observe(document.body, { childList: true, subtree: true });
}"""


def test_the_whole_lab_runs_without_an_error(page):
    page.evaluate(WATCH)
    run_all(page)
    seen = set(page.evaluate("() => [...window.seen]"))
    assert seen >= {"BOOTSTRAPPING", "RUNNING", "WAITING", "TERMINATED", "a step on its way"}  # the map is live
    assert errors(page) == []
    said = page.evaluate(
        "() => jupyterapp.shell.currentWidget.model.toJSON().cells.flatMap(cell => cell.outputs || [])"
        ".map(output => JSON.stringify(output.data || output.text || '')).join('\\n')"
    )
    assert "is closed: no cluster of it is running" in said
    assert "stderr" not in {output.get("name") for output in page.evaluate(OUTPUTS)}


OUTPUTS = "() => jupyterapp.shell.currentWidget.model.toJSON().cells.flatMap(cell => cell.outputs || [])"


def test_the_slider_moves_by_keyboard_and_the_price_follows(page):
    handle = page.locator(".noUi-handle").first
    handle.scroll_into_view_if_needed()
    before = page.locator(".emr-facts").first.inner_text()
    handle.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "before => document.querySelector('.emr-facts').innerText !== before", arg=before, timeout=20_000
    )
    assert "$" in page.locator(".emr-facts").first.inner_text()


def test_nothing_is_asked_from_elsewhere(solved, app):
    """Without network everything a page needs comes from this machine."""
    asked: set[str] = set()
    page = new_page(app)
    page.on("request", lambda request: asked.add(request.url))
    open_notebook(page, *solved, LAB)
    foreign = {url for url in asked if not url.startswith(("http://127.0.0.1", "data:", "blob:", "ws://127.0.0.1"))}
    assert foreign == set()


def test_a_fresh_learner_is_told_what_to_do_first(home, app):
    """Unsolved: an exercise asks for its blanks, and a later cell says what it needs, without a traceback."""
    with jupyterlab({"EMRLAB_HOME": str(home.root)}) as (base, token):
        page = new_page(app)
        open_notebook(page, base, token, LAB)
        run_all(page)
        outputs = page.evaluate(OUTPUTS)
    said = "\n".join("".join(output.get("data", {}).get("text/html", "")) for output in outputs)
    assert "replace the 2 blanks ____" in said
    assert "From here on the lab needs a running cluster." in said
