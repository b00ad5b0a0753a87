"""clock: how fast EMR's slow intervals pass here."""

from __future__ import annotations

import click


@click.command()
@click.argument("factor", type=float, required=False)
def clock(factor: float | None) -> None:
    """Show the lab clock, or set it to FACTOR: lab seconds in a true one, from 1 (as on AWS) to 1000.

    Metrics' five minutes, idle timeouts, the spot market and its two-minute notice, and scaling's cooldowns keep lab
    time. Engines, timelines and costs do not.
    """
    from ..clock import Clock
    from ..home import home

    lab = Clock(home())
    if factor is not None:
        lab.set(factor)
    now = lab.factor
    click.echo(f"{now:g} lab seconds pass in a true one: EMR's 5 minutes take {true(300 / now)} here.")


def true(seconds: float) -> str:
    return f"{seconds / 60:g} minutes" if seconds >= 120 else f"{seconds:g} seconds"
