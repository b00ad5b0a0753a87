"""Daemons of applications that end on a living node, and come back: told as EMR's application health.

AWS publishes the name of that event alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from ...applications import resolve
from ...applications.application import Member, Site
from .. import events
from ..machines import dead
from ..records import Instance
from . import chore

if TYPE_CHECKING:
    from ..driver import Driver

LOOK_SECONDS = 1.0
# Of each driver: nodes and daemons that were told as ended.
ENDED: WeakKeyDictionary[Driver, set[tuple[str, str]]] = WeakKeyDictionary()


@chore
def look(driver: Driver) -> None:
    if not driver.due("daemons", LOOK_SECONDS):
        return
    ended = ENDED.setdefault(driver, set())
    for member in driver.machines.site.members:
        node = member.node
        ec2 = node.folder.name
        if ec2 in driver.going or dead([node]):  # one that leaves, or is gone as a whole
            continue
        for name in list(node.daemons):
            status, known = node.ended(name), (ec2, name) in ended
            if status is not None and not known:
                ended.add((ec2, name))
                tell(driver, member, name, "UNHEALTHY", f"ended with status {status}")
            elif status is None and known:
                ended.discard((ec2, name))
                tell(driver, member, name, "HEALTHY", "runs again")


def tell(driver: Driver, member: Member, daemon: str, state: str, what: str) -> None:
    cluster, ec2 = driver.cluster, member.node.folder.name
    instance = next((one for one in driver.history.of(Instance, cluster.id, ["RUNNING"]) if one.ec2 == ec2), None)
    if instance is None:
        return
    application = owner(driver.machines.site, member, daemon)
    where = f"on instance {ec2} in Amazon EMR cluster {cluster.id} ({cluster.name})"
    said = f"The daemon {daemon} of {application} {where} {what}."
    driver.service.events.say(events.health.application(cluster, instance, application, state, said))


def owner(site: Site, member: Member, daemon: str) -> str:
    """The application that a daemon belongs to."""
    for application in resolve(site.applications):
        if any(one.name == daemon for one in application.daemons(site, member)):
            return application.name
    return daemon
