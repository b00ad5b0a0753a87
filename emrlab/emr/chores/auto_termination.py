"""A cluster that has been idle for the time that its policy says is terminated.

Termination protection keeps a cluster from users, API calls and failed steps (SetTerminationProtection), not from what
it was told to do by itself: as at the end of its steps, it is ignored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from . import chore
from .metrics import reading

if TYPE_CHECKING:
    from ..driver import Driver

# Of each cluster: its IdleTimeout, the last reading's moment, how long it has been idle (lab seconds).
SEEN: WeakKeyDictionary[Driver, tuple[int, float, float]] = WeakKeyDictionary()


@chore
def look(driver: Driver) -> None:
    timeout, found = driver.cluster.auto_termination.get("IdleTimeout"), reading(driver)
    if not timeout:
        SEEN.pop(driver, None)
        return
    if found is None or "AutoTerminationIsClusterIdle" not in found.figures:
        return
    before, moment, idle = SEEN.get(driver, (timeout, found.moment, 0.0))
    if before != timeout:
        idle = 0.0  # a policy that was changed counts from now
    elif moment != found.moment:
        idle = idle + found.passed if found.value("AutoTerminationIsClusterIdle") else 0.0
    SEEN[driver] = (timeout, found.moment, idle)
    if idle >= timeout:
        driver.end("USER_REQUEST", f"Terminated by the auto-termination policy: idle for {timeout} seconds")
