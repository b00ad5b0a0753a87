"""The lab clock: EMR's slow intervals, sped up by a factor that a learner may read and set.

Idle timeouts, metrics' five minutes, the spot market's two-minute notice and scaling's cooldowns are lab time; engines,
timelines and bills are not.
"""

from __future__ import annotations

import os

from .errors import LabError
from .home import Home

VARIABLE = "EMRLAB_CLOCK"
DEFAULT = 10.0
SLOWEST, FASTEST = 1.0, 1000.0


class Clock:
    """``factor``: lab seconds in a true one. Set with ``emrlab clock``; before that, ``EMRLAB_CLOCK`` or 10."""

    def __init__(self, home: Home) -> None:
        self.file = home.region / "clock"

    @property
    def factor(self) -> float:
        try:
            text = self.file.read_text()
        except OSError:
            text = os.environ.get(VARIABLE, "")
        try:
            return checked(float(text)) if text.strip() else DEFAULT
        except (ValueError, LabError):
            return DEFAULT

    def set(self, factor: float) -> None:
        """For all clusters, from now on. Raises ``LabError``."""
        checked(factor)
        self.file.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.file.with_suffix(".new")
        temporary.write_text(f"{factor:g}\n")
        temporary.replace(self.file)

    def true(self, lab_seconds: float) -> float:
        """How long ``lab_seconds`` really take, in seconds."""
        return lab_seconds / self.factor


def checked(factor: float) -> float:
    if not SLOWEST <= factor <= FASTEST:
        raise LabError(f"The lab clock's factor is from {SLOWEST:g} (as on AWS) to {FASTEST:g}, not {factor:g}.")
    return factor
