"""The lives of clusters, steps, instances and instance groups: which state may follow which.

See "Understanding the cluster lifecycle", "Submit work to a cluster", and the types ``ClusterStatus``, ``StepStatus``,
``InstanceStatus`` and ``InstanceGroupStatus`` of the API reference.
"""

from __future__ import annotations

from collections.abc import Mapping

ENDING = ("TERMINATING", "TERMINATED", "TERMINATED_WITH_ERRORS")

CLUSTER: Mapping[str, tuple[str, ...]] = {
    "STARTING": ("BOOTSTRAPPING", *ENDING),
    "BOOTSTRAPPING": ("RUNNING", "WAITING", *ENDING),
    "RUNNING": ("WAITING", *ENDING),
    "WAITING": ("RUNNING", *ENDING),
    "TERMINATING": ("TERMINATED", "TERMINATED_WITH_ERRORS"),
    "TERMINATED": (),
    "TERMINATED_WITH_ERRORS": (),
}
STEP: Mapping[str, tuple[str, ...]] = {
    "PENDING": ("RUNNING", "CANCELLED"),
    "RUNNING": ("COMPLETED", "FAILED", "CANCEL_PENDING", "INTERRUPTED"),
    # A step that ends by itself before the signal reaches it has ended as it has.
    "CANCEL_PENDING": ("CANCELLED", "COMPLETED", "FAILED", "INTERRUPTED"),
    "COMPLETED": (),
    "FAILED": (),
    "CANCELLED": (),
    "INTERRUPTED": (),
}
INSTANCE: Mapping[str, tuple[str, ...]] = {
    "AWAITING_FULFILLMENT": ("PROVISIONING", "TERMINATED"),
    "PROVISIONING": ("BOOTSTRAPPING", "TERMINATED"),
    "BOOTSTRAPPING": ("RUNNING", "TERMINATED"),
    "RUNNING": ("TERMINATED",),
    "TERMINATED": (),
}
GROUP: Mapping[str, tuple[str, ...]] = {
    "PROVISIONING": ("BOOTSTRAPPING", "TERMINATING", "TERMINATED"),
    "BOOTSTRAPPING": ("RUNNING", "TERMINATING", "TERMINATED"),
    "RUNNING": ("RESIZING", "RECONFIGURING", "SUSPENDED", "ARRESTED", "TERMINATING", "TERMINATED"),
    "RESIZING": ("RUNNING", "SUSPENDED", "ARRESTED", "TERMINATING", "TERMINATED"),
    "RECONFIGURING": ("RUNNING", "ARRESTED", "TERMINATING", "TERMINATED"),
    "SUSPENDED": ("RUNNING", "RESIZING", "RECONFIGURING", "TERMINATING", "TERMINATED"),
    "ARRESTED": ("RUNNING", "RESIZING", "RECONFIGURING", "TERMINATING", "TERMINATED"),
    "TERMINATING": ("TERMINATED",),
    "TERMINATED": (),
}
FLEET: Mapping[str, tuple[str, ...]] = {
    state: tuple(one for one in after if one != "ARRESTED") for state, after in GROUP.items() if state != "ARRESTED"
}

OVER = ("TERMINATED", "TERMINATED_WITH_ERRORS")
ACTIVE = tuple(state for state in CLUSTER if state not in OVER)
# A cluster in these takes new steps, tags, settings.
OPEN = ("STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING")
STEP_OVER = tuple(state for state, after in STEP.items() if not after)
STEP_ACTIVE = tuple(state for state, after in STEP.items() if after)


class WrongTransition(Exception):
    """Somebody wants what cannot follow: a defect, or another thread was quicker."""


def follow(table: Mapping[str, tuple[str, ...]], state: str, wanted: str) -> str:
    """``wanted``, if it may follow ``state``. Raises ``WrongTransition``."""
    if wanted not in table[state]:
        raise WrongTransition(f"{wanted} cannot follow {state}")
    return wanted
