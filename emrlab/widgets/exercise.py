"""The panel under an exercise's cell: Check, Hint, Solution, and what they said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .page import Kind, Page, escape

Action = Callable[[], tuple[Kind, str, str]]
"""Does what a button says. Returns the kind of answer, the answer, and code to show ("" for none)."""
NAMES = ("Check", "Hint", "Solution")


def answer(title: str, kind: Kind, text: str, code: str = "") -> Page:
    """What is said under an exercise, as HTML and words."""
    signs = {"good": "✔", "bad": "✖", "warn": "➜", "note": "ℹ"}
    lines = "".join(f"<p>{escape(line)}</p>" for line in text.splitlines())
    source = f"<pre><code>{escape(code)}</code></pre>" if code else ""
    head = f"<p class='emr-head'><span aria-hidden='true'>{signs[kind]}</span> {escape(title)}</p>"
    markup = f"<div class='emr-box emr-{kind}' role='status'>{head}{lines}{source}</div>"
    return Page(markup, "\n".join(part for part in (f"{title}: {text}", code) if part), text)


def panel(title: str, first: tuple[Kind, str, str], actions: dict[str, Action]) -> Any:
    """An ipywidget that shows ``first``, and does ``actions`` (by the names in ``NAMES``) when its buttons are used."""
    import ipywidgets

    class Exercise(ipywidgets.VBox):
        def say(self, kind: Kind, text: str, code: str = "") -> None:
            self.page = answer(title, kind, text, code)
            self.below.value = self.page.html

        def __init__(self) -> None:
            self.below = ipywidgets.HTML()
            self.say(*first)
            buttons = []
            for name in NAMES:
                style = "primary" if name == "Check" else ""
                layout = ipywidgets.Layout(width="auto")
                tip = f"{name}: {title}"
                button = ipywidgets.Button(description=name, tooltip=tip, button_style=style, layout=layout)
                button.on_click(lambda _, name=name: self.say(*actions[name]()))
                buttons.append(button)
            super().__init__([self.below, ipywidgets.HBox(buttons)])

        def __repr__(self) -> str:
            return self.page.text

        def _repr_mimebundle_(self, **kwargs: Any) -> Any:
            data = dict(super()._repr_mimebundle_(**kwargs) or {})
            return data | {"text/html": self.page.html, "text/plain": self.page.text}

    return Exercise()
