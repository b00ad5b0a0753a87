"""One thing shown two ways: HTML for a browser, words for everybody else (nbval, GitHub, screen readers, a terminal).

What differs from run to run (ids, addresses, seconds) goes through ``varies``: the labs' sanitizers cut it out before
outputs are compared.
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Literal

Kind = Literal["note", "good", "warn", "bad"]
SIGNS: dict[Kind, str] = {"note": "ℹ", "good": "✔", "warn": "➜", "bad": "✖"}


def escape(text: object) -> str:
    return html.escape(str(text))


def varies(markup: str) -> str:
    """``markup`` that no two runs share."""
    return f"<!--varies-->{markup}<!--/varies-->"


def stylesheet() -> str:
    """The style of everything here: colours are JupyterLab's own, so both themes work."""
    return (files(__package__) / "style.css").read_text()


@dataclass(frozen=True)
class Page:
    """``markup``: HTML without style sheet. ``text``: the same in words. ``says``: what a screen reader is told."""

    markup: str
    text: str
    says: str = ""

    @property
    def html(self) -> str:
        return f"<style>{stylesheet()}</style>\n{self.markup}" if self.markup else ""

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/html": self.html, "text/plain": self.text}

    def show(self) -> None:
        from IPython.display import display

        display(self)


def box(kind: Kind, title: str, *paragraphs: str, alert: bool = False) -> Page:
    """A framed message. The sign says the kind too: never colour alone."""
    body = "".join(f"<p>{escape(one)}</p>" for one in paragraphs)
    role = "alert" if alert else "note"
    head = f"<p class='emr-head'><span aria-hidden='true'>{SIGNS[kind]}</span> {escape(title)}</p>"
    markup = f"<div class='emr-box emr-{kind}' role='{role}'>{head}{body}</div>"
    return Page(markup, "\n".join([title, *paragraphs]), title)
