"""Identifiers as EMR and EC2 make them."""

from __future__ import annotations

import secrets
import string

LETTERS = string.digits + string.ascii_uppercase


def made(prefix: str, length: int = 13) -> str:
    """``j-2AXXXXXXGAPLF``: a prefix (``j``, ``s``, ``ig``, ``ci``) and ``length`` digits and capitals."""
    return f"{prefix}-{''.join(secrets.choice(LETTERS) for _ in range(length))}"


def instance() -> str:
    """An EC2 instance's: ``i-0123456789abcdef0``."""
    return f"i-0{secrets.token_hex(8)}"


def cluster_arn(region: str, account: str, cluster_id: str) -> str:
    return f"arn:aws:elasticmapreduce:{region}:{account}:cluster/{cluster_id}"
