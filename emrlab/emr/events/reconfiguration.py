"""Events of reconfigurations. A group's begin, success, reversion and arrest are changes of its state: not here."""

from __future__ import annotations

from ..records import Cluster, Fleet, Group
from .capacity import note
from .event import Capacity, Event, Kind, event, minutes, moment, named


def requested(cluster: Cluster, group: Group, running: int) -> Event:
    """``group.version`` is the version that was asked for."""
    said = f"A reconfiguration for {where(cluster, group)} was initiated by user at {moment()}. "
    return note(cluster, group, running, "INFO", said + f"Version of requested configuration is {group.version}.")


def blocked(cluster: Cluster, group: Group, running: int) -> Event:
    """The group is in another state and must first come out of it."""
    said = (
        f"Reconfiguring operation towards configuration version {group.version} for {where(cluster, group)} is "
        f"temporarily blocked at {moment()} because instance group is in {group.state}."
    )
    return note(cluster, group, running, "INFO", said)


def resize_blocked(cluster: Cluster, group: Group, running: int) -> Event:
    """The group is reconfigured: a resize must wait."""
    said = (
        f"Resizing operation towards instance count {group.requested} for {where(cluster, group)} "
        f"is temporarily blocked at {moment()} because the instance group is in {group.state}."
    )
    return note(cluster, group, running, "INFO", said)


def failed(cluster: Cluster, group: Group, running: int, since: float) -> Event:
    """Say it while the group is RECONFIGURING: when it then comes to RUNNING, it was reverted."""
    said = (
        f"The reconfiguration operation for {where(cluster, group)} failed at {moment()} and took {minutes(since)} "
        f"minutes to fail. Failed configuration version is {group.version}."
    )
    return note(cluster, group, running, "WARNING", said)


def reverting(cluster: Cluster, group: Group, running: int) -> Event:
    """``group.version`` is already the new version, that of the reverted configurations."""
    said = (
        f"Configurations are reverting to the previous successful version number {group.last_good_version} for "
        f"{where(cluster, group)} at {moment()}. New configuration version is {group.version}."
    )
    return note(cluster, group, running, "INFO", said)


def where(cluster: Cluster, group: Group) -> str:
    return f"instance group {group.id} in the Amazon EMR cluster {named(cluster)}"


def error(cluster: Cluster, description: str, severity: str = "ERROR") -> Event:
    """Something is wrong with the cluster's configuration."""
    return event(Kind.CONFIGURATION_ERROR, cluster, severity, description=description)


FLEET = {
    "requested": ("INFO", "A user has requested to reconfigure the {fleet} in {emr}."),
    "started": ("INFO", "Amazon EMR has started a reconfiguration of the {fleet} in the {emr} at {now}."),
    "completed": ("INFO", "Amazon EMR has finished reconfiguring {fleet} in the {emr}."),
    "failed": (
        "WARNING",
        "Amazon EMR failed to reconfigure the {fleet} in the {emr} at {now}. "
        "The reconfiguration failed because {reason}.",
    ),
    "reverting": ("INFO", "Amazon EMR is reverting the {fleet} in the {emr} to the previous successful configuration."),
    "reverted": (
        "INFO",
        "Amazon EMR finished reverting the {fleet} in the {emr} to the previous successful configuration.",
    ),
    "not reverted": (
        "CRITICAL",
        "Amazon EMR couldn't revert the {fleet} in the {emr} to the previously successful configuration at {now}. "
        "The reconfiguration reversion failed because of {reason}.",
    ),
    "blocked": (
        "INFO",
        "Amazon EMR temporarily blocked the {fleet} in the {emr} at {now} because the instance fleet is in the "
        "{state} state.",
    ),
}


def of_fleet(cluster: Cluster, fleet: Fleet, have: Capacity, what: str, reason: str = "") -> Event:
    """An instance fleet's reconfiguration. ``what``: a key of ``FLEET``."""
    severity, text = FLEET[what]
    said = text.format(
        fleet=f"instance fleet {fleet.id}",
        emr=f"Amazon EMR cluster {named(cluster)}",
        now=moment(),
        reason=reason,
        state=fleet.state,
    )
    return note(cluster, fleet, have, severity, said)
