"""EMR's errors, in its own words where they are known."""

from __future__ import annotations

from ..errors import AwsError

PARITY = "docs/parity.md lists what emrlab emulates"


def invalid(message: str, code: str = "InvalidRequest") -> AwsError:
    """A request about something that is not there, or not in a state for it. ``code``: its ``ErrorCode``."""
    return AwsError("InvalidRequestException", message, ErrorCode=code)


def validation(message: str) -> AwsError:
    """A request whose parameters EMR does not take."""
    return AwsError("ValidationException", message)


def not_built(what: str) -> AwsError:
    """What EMR has and emrlab does not (yet): the one place where it says so."""
    return AwsError("ValidationException", f"{what} is not emulated by emrlab ({PARITY}).")


def no_cluster(cluster_id: str) -> AwsError:
    return invalid(f"Cluster id '{cluster_id}' is not valid.")


def no_job_flow() -> AwsError:
    """Older operations (``…JobFlow…``) word it this way."""
    return validation("Specified job flow ID not valid.")


def ended() -> AwsError:
    return validation("A job flow that is shutting down, terminated, or finished may not be modified.")
