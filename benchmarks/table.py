"""Rows of the table: what was measured, against what, and what was hoped for."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass
class Row:
    """``values``, ``baseline``: a number per repetition, in ``unit``. ``aim``: for the median."""

    name: str
    values: Sequence[float]
    unit: str = "s"
    aim: float | None = None
    against: str = ""
    baseline: Sequence[float] = ()
    aim_ratio: float | None = None
    higher_is_better: bool = False
    note: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def ratio(self) -> float | None:
        return self.median / statistics.median(self.baseline) if self.baseline else None

    def cells(self) -> list[str]:
        base = statistics.median(self.baseline) if self.baseline else None
        return [
            self.name,
            number(self.median, self.unit) + spread(self.values),
            "" if self.aim is None else f"{'≥' if self.higher_is_better else '≤'} {number(self.aim, self.unit)}",
            self.against if base is None else f"{self.against}: {number(base, self.unit)}{spread(self.baseline)}",
            "" if self.ratio is None else f"{self.ratio:.2f}",
            "" if self.aim_ratio is None else f"{'≥' if self.higher_is_better else '≤'} {self.aim_ratio:g}",
        ]


@dataclass
class Report:
    rows: list[Row] = field(default_factory=list)

    def markdown(self) -> str:
        head = ["what", "median", "aim", "baseline (same run)", "ratio", "aim"]
        lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
        lines += [f"| {' | '.join(row.cells())} |" for row in self.rows]
        notes = [f"- {row.name}: {row.note}" for row in self.rows if row.note]
        return "\n".join([*lines, *(["", *notes] if notes else [])])

    def add(self, rows: Iterable[Row]) -> None:
        self.rows += rows


def number(value: float, unit: str) -> str:
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:.{digits}f} {unit}"


def spread(values: Sequence[float]) -> str:
    """From the least to the most, of several."""
    if len(values) < 2:
        return ""
    return f" ({number(min(values), '').strip()}–{number(max(values), '').strip()})"
