"""What a living cluster's driver looks after besides its steps: each a function called about once a second.

A chore is quick: it reads the history and the engines' figures, changes records (a group's ``requested``, say), and
returns. What takes long it starts in a thread of its own. It may raise ``driver.Ending`` to end the cluster.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..driver import Driver

CHORES: list[Callable[[Driver], None]] = []
# What is done once when a cluster ends: its steps are over, its nodes still run. None may take long.
FAREWELLS: list[Callable[[Driver], None]] = []


def farewell(function: Callable[[Driver], None]) -> Callable[[Driver], None]:
    """Have ``function`` done at the end. Its module is imported by ``service``."""
    FAREWELLS.append(function)
    return function


def chore(function: Callable[[Driver], None]) -> Callable[[Driver], None]:
    """Have ``function`` done. Its module is imported by ``service``."""
    CHORES.append(function)
    return function
