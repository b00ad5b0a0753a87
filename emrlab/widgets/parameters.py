"""A lab's parameters: widgets in a browser, plain values in code, the environment where there is no browser."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import LabError
from .page import Page, escape

VARIABLE = "EMRLAB_PARAM_"
Consequences = Callable[[Mapping[str, Any]], Sequence[tuple[str, str]]]
Objection = Callable[[Mapping[str, Any]], str | None]
WIDE = {"description_width": "9em"}


@dataclass(frozen=True)
class Choice:
    """One of ``options``; the first, or ``default``."""

    label: str
    options: Sequence[str]
    default: str | None = None
    help: str = ""

    def first(self) -> str:
        return self.default or self.options[0]

    def read(self, text: str) -> str:
        if text not in self.options:
            raise ValueError(f"choose one of {', '.join(self.options)}")
        return text

    def widget(self, value: str) -> Any:
        import ipywidgets

        return ipywidgets.Dropdown(options=list(self.options), value=value, description=self.label, style=WIDE)


@dataclass(frozen=True)
class Whole:
    """A whole number from ``low`` to ``high``."""

    label: str
    low: int
    high: int
    default: int
    unit: str = ""
    help: str = ""

    def first(self) -> int:
        return self.default

    def read(self, text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise ValueError(f"give a whole number from {self.low} to {self.high}") from None
        if not self.low <= number <= self.high:
            raise ValueError(f"the number goes from {self.low} to {self.high}")
        return number

    def widget(self, value: int) -> Any:
        import ipywidgets

        return ipywidgets.IntSlider(value, self.low, self.high, description=self.label, style=WIDE)


@dataclass(frozen=True)
class Several:
    """Some of ``options``; ``needed`` ones cannot be left out."""

    label: str
    options: Sequence[str]
    default: Sequence[str] = ()
    needed: Sequence[str] = ()
    help: str = ""

    def first(self) -> list[str]:
        return [one for one in self.options if one in self.default or one in self.needed]

    def read(self, text: str) -> list[str]:
        wanted = [part.strip() for part in text.split(",") if part.strip()]
        unknown = [one for one in wanted if one not in self.options]
        missing = [one for one in self.needed if one not in wanted]
        if unknown or missing:
            need = f", with {' and '.join(self.needed)}" if self.needed else ""
            raise ValueError(f"choose some of {', '.join(self.options)}{need}, separated by commas")
        return [one for one in self.options if one in wanted]

    def widget(self, value: list[str]) -> Any:
        return boxes(self, value)


Parameter = Choice | Whole | Several


def boxes(several: Several, value: list[str]) -> Any:
    """A row of check boxes with one ``value``: the list of those that are ticked."""
    import ipywidgets
    import traitlets

    class Boxes(ipywidgets.HBox):
        value = traitlets.List(traitlets.Unicode())

    ticks = []
    for name in several.options:
        fixed = name in several.needed
        layout = ipywidgets.Layout(width="auto", margin="0 12px 0 0")
        tick = ipywidgets.Checkbox(name in value, description=name, disabled=fixed, indent=False, layout=layout)
        if fixed:
            tick.tooltip = "This lab needs it."
        ticks.append(tick)
    label = ipywidgets.Label(several.label, layout=ipywidgets.Layout(width="9em", justify_content="flex-end"))
    row = Boxes([label, *ticks], value=value)

    def changed(_: object) -> None:
        row.value = [tick.description for tick in ticks if tick.value]

    for tick in ticks:
        tick.observe(changed, "value")
    return row


@dataclass
class Parameters:
    """The values now, as attributes: ``shape.core_nodes``. What a widget changes is seen by the next cell that asks."""

    definitions: Mapping[str, Parameter]
    consequences: Consequences | None = None
    objection: Objection | None = None
    _values: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, one in self.definitions.items():
            self._values[name] = given(name, one)
        self.check()

    def __getattr__(self, name: str) -> Any:
        values = self.__dict__.get("_values", {})
        if name in values:
            return values[name]
        raise AttributeError(f"no parameter {name!r}: there are {', '.join(values)}")

    def values(self) -> dict[str, Any]:
        return dict(self._values)

    def check(self) -> None:
        """``LabError`` when the values do not fit each other."""
        if self.objection and (text := self.objection(self._values)):
            raise LabError(text)

    def page(self) -> Page:
        """What follows from the values, or why they do not fit."""
        if self.objection and (text := self.objection(self._values)):
            return Page(f"<div class='emr-panel' role='status'><p>✖ {escape(text)}</p></div>", text, text)
        facts = list(self.consequences(self._values)) if self.consequences else []
        rows = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in facts)
        text = "\n".join(f"{name}: {value}" for name, value in facts)
        markup = f"<div class='emr-panel' role='status'><dl class='emr-facts'>{rows}</dl></div>"
        return Page(markup, text, text)

    def __repr__(self) -> str:
        lines = [f"{one.label}: {shown(self._values[name])}" for name, one in self.definitions.items()]
        return "\n".join([*lines, self.page().text])

    def show(self) -> None:
        """The panel in a browser; the values and what follows from them everywhere else."""
        from IPython.display import display

        display(panel(self))


def given(name: str, one: Parameter) -> Any:
    """The value in the environment (``EMRLAB_PARAM_CORE_NODES``), else the default."""
    variable = f"{VARIABLE}{name.upper()}"
    text = os.environ.get(variable)
    if text is None:
        return one.first()
    try:
        return one.read(text.strip())
    except ValueError as error:
        raise LabError(f"{variable}={text} does not fit '{one.label}': {error}. Or unset it.") from error


def shown(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)


def panel(parameters: Parameters) -> Any:
    """One row per parameter, what follows from them below."""
    import ipywidgets

    class Panel(ipywidgets.VBox):
        def __repr__(self) -> str:
            return repr(parameters)

        def _repr_mimebundle_(self, **kwargs: Any) -> Any:
            data = dict(super()._repr_mimebundle_(**kwargs) or {})
            rows = "".join(
                f"<div><dt>{escape(one.label)}</dt><dd>{escape(shown(parameters._values[name]))}</dd></div>"
                for name, one in parameters.definitions.items()
            )
            chosen = f"<div class='emr-panel'><dl class='emr-facts'>{rows}</dl></div>"
            page = parameters.page()
            return data | {"text/html": Page(chosen + page.markup, "").html, "text/plain": repr(parameters)}

    below = ipywidgets.HTML(parameters.page().html)
    rows: list[Any] = []
    for name, one in parameters.definitions.items():
        row = one.widget(parameters._values[name])
        row.layout.width = "auto" if isinstance(one, Several) else "28em"

        def changed(change: Any, name: str = name) -> None:
            parameters._values[name] = change["new"]
            below.value = parameters.page().html

        row.observe(changed, "value")
        unit = " ".join(text for text in (getattr(one, "unit", ""), one.help) if text)
        rows.append(ipywidgets.HBox([row, ipywidgets.HTML(f"<span class='emr-quiet'>{escape(unit)}</span>")]))
    return Panel([*rows, below])
