"""Spot instances whose price has risen above what they may cost: two lab minutes' notice, then they are gone.

See "Spot Instance interruptions" of the EC2 User Guide. YARN starts nothing more on a node that has its notice.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from ...applications.hadoop_drain import exclude
from ...errors import LabError
from .. import events
from ..records import Instance
from . import chore

if TYPE_CHECKING:
    from ..driver import Driver

log = logging.getLogger(__name__)
NOTICE = 120.0  # lab seconds


@chore
def look(driver: Driver) -> None:
    for instance in driver.history.of(Instance, driver.cluster_id, ["RUNNING"]):
        if instance.market != "SPOT":
            continue
        if instance.notice is None:
            if outbid(driver, instance):
                give_notice(driver, instance)
        elif time.time() >= instance.notice:
            take(driver, instance)


def outbid(driver: Driver, instance: Instance) -> bool:
    price = driver.market.price(instance.instance_type, driver.zone)
    return price is not None and instance.bid is not None and price > instance.bid


def give_notice(driver: Driver, instance: Instance) -> None:
    """Tell it: in the instance's metadata, by an event, and to YARN."""
    when = time.time() + driver.service.clock.true(NOTICE)
    with driver.history.changing(Instance, instance.id) as now:
        now.notice = when
    driver.service.events.say(events.ec2.interruption(driver.cluster, instance))
    log.info("%s of %s is interrupted in %.1f s", instance.ec2, driver.cluster_id, when - time.time())
    if instance.role != "MASTER":
        threading.Thread(target=deny, args=(driver, instance), name=f"notice {instance.ec2}", daemon=True).start()


def deny(driver: Driver, instance: Instance) -> None:
    """Work that runs there may end by then; new work goes elsewhere. HDFS loses what it loses."""
    try:
        exclude(driver.machines.site, {instance.name: int(driver.service.clock.true(NOTICE))}, ())
    except (LabError, OSError) as error:  # the node may be gone before it was told
        log.warning("YARN was not told that %s leaves: %s", instance.ec2, error)


def take(driver: Driver, instance: Instance) -> None:
    from ..driver import Ending

    said = f"The spot instance was interrupted: {instance.instance_type} costs more than {instance.bid} USD per hour."
    if instance.role == "MASTER":
        raise Ending("INSTANCE_FAILURE", f"The master failed. {said}", errors=True)
    driver.lose(instance, said, "INSTANCE_FAILURE")
