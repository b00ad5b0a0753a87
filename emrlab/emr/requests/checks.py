"""What groups and fleets of instances have in common that EMR does not take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ...applications import resolve
from ..errors import validation
from ..instance_types import all_types

NODES = 100  # as many as one machine can be asked to start


def check_instances(count: int) -> None:
    if count > NODES:
        raise validation(f"This machine cannot be asked for more than {NODES} instances. Ask for fewer.")


def check_type(name: str) -> None:
    if name not in all_types():
        family = name.partition(".")[0]
        near = [one for one in all_types() if one.partition(".")[0] == family] or [
            "m5.xlarge",
            "r5.xlarge",
            "c5.xlarge",
        ]
        raise validation(
            f"Instance type '{name}' is not supported. Some that are: {', '.join(near[:6])}; "
            "ListSupportedInstanceTypes lists all."
        )


def is_price(text: str) -> bool:
    """Whether a ``BidPrice`` is an amount of money."""
    try:
        return 0 < float(text) < float("inf")
    except ValueError:
        return False


def check_configurations(configurations: Iterable[Mapping[str, Any]], applications: list[str]) -> None:
    """Refuse classifications that none of the applications reads, as EMR does."""
    known = frozenset().union(*(one.classifications for one in resolve(applications)))
    for one in configurations:
        name = one.get("Classification", "")
        if name not in known:
            raise validation(
                f"The classification '{name}' belongs to none of the applications {', '.join(applications)}. "
                f"These do: {', '.join(sorted(known))}."
            )
        for nested in one.get("Configurations") or []:
            if nested.get("Classification") != "export" or not name.endswith("-env"):
                raise validation(
                    f"'{nested.get('Classification')}' cannot stand inside '{name}': only export in …-env can."
                )
