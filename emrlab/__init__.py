"""Amazon EMR on your laptop, for learning.

>>> import emrlab
>>> lab = emrlab.lab("1.1")  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .course.lab import Lab

__version__ = "0.1.0"


def lab(number: str) -> Lab:
    """Open a lab: the region is started or found, AWS clients of this process reach it, and the lab's card is shown.

    ``number``: as in the notebook's name, ``"1.1"``. Raises ``LabError`` when there is no such lab.
    """
    from .course.lab import Lab

    return Lab.open(number)
