"""Something that changes while a cell runs. What stays in the notebook is its last picture, which needs no kernel."""

from __future__ import annotations

import os
from typing import Any

from .page import Page, stylesheet

# Redraws keep what the reader has opened and where the keyboard is. All drawing is done in Python (`Page`), so that the
# live view and the picture that stays cannot differ.
ESM = """
export default {
  render({ model, el }) {
    const view = document.createElement("div");
    view.className = "emr-live";
    const says = document.createElement("div");
    says.className = "emr-says";
    says.setAttribute("role", "status");
    el.append(view, says);
    const keys = (selector) => new Set([...view.querySelectorAll(selector)].map((one) => one.dataset.key));
    const draw = () => {
      const open = keys("details[open]");
      const active = document.activeElement;
      const focused = view.contains(active) ? active.closest("details")?.dataset.key : null;
      view.innerHTML = model.get("markup");
      for (const details of view.querySelectorAll("details")) {
        details.open = open.has(details.dataset.key);
        if (focused && details.dataset.key === focused) details.querySelector("summary").focus();
      }
    };
    const speak = () => { says.textContent = model.get("says"); };
    model.on("change:markup", draw);
    model.on("change:says", speak);
    draw();
    speak();
  },
};
"""


def live() -> bool:
    """Whether somebody may be watching: a notebook that is not being run with its solutions.

    ``EMRLAB_LIVE`` (1 or 0) decides otherwise.
    """
    asked = os.environ.get("EMRLAB_LIVE", "")
    if asked:
        return asked != "0"
    if os.environ.get("EMRLAB_SOLVE", "") not in ("", "0"):
        return False
    from IPython import get_ipython

    shell = get_ipython()
    return shell is not None and hasattr(shell, "kernel")


class Live:
    """Show a page, replace it while things happen, and leave the last one::

    with Live() as screen:
        while not done():
            screen.show(page())

    Nothing is shown before the end when nobody can be watching. ``keep=False``: nothing stays.
    """

    def __init__(self, keep: bool = True) -> None:
        self.keep = keep
        self.page: Page | None = None
        self.widget: Any = None
        self.handle: Any = None

    def show(self, page: Page) -> None:
        first, self.page = self.page is None, page
        if not live():
            return
        if first or self.widget is None:
            from IPython.display import display

            self.widget = viewer(page)
            self.handle = display(self.widget, display_id=True)
            return
        self.widget.markup = page.markup
        if page.says != self.widget.says:  # a state changed: not every number is read out
            self.widget.says = page.says

    def __enter__(self) -> Live:
        return self

    def __exit__(self, *_: object) -> None:
        if self.page is None:
            return
        if self.handle is not None:
            self.handle.update(self.page if self.keep else Page("", ""))
            self.widget.close()
        elif self.keep:
            self.page.show()


def viewer(page: Page) -> Any:
    """An anywidget that shows ``page``. Made here, since importing anywidget takes a while."""
    import anywidget
    import traitlets

    class Viewer(anywidget.AnyWidget):
        _esm = ESM
        _css = stylesheet()
        markup = traitlets.Unicode("").tag(sync=True)
        says = traitlets.Unicode("").tag(sync=True)

        def _repr_mimebundle_(self, **kwargs: Any) -> Any:
            made = super()._repr_mimebundle_(**kwargs)
            data, metadata = made if isinstance(made, tuple) else (made or {}, {})
            data["text/plain"] = page.text
            return data, metadata

    return Viewer(markup=page.markup, says=page.says)
