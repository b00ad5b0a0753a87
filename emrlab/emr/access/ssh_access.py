"""Who may log in to a cluster's nodes: whoever holds the private half of the EC2 key pair it was launched with.

See "Use an EC2 key pair for SSH credentials for Amazon EMR".
"""

from __future__ import annotations

from typing import Any

from ..aws import Unanswered, ask, client
from ..records import Cluster

CODE = "VALIDATION_ERROR_INVALID_SSH_KEY_NAME"
PAGE = f"https://docs.aws.amazon.com/emr/latest/ManagementGuide/{CODE}.html"


class InvalidKeyName(Exception):
    """The cluster cannot be launched: its account has no such key pair in its region. ``detail``: an ErrorDetail."""

    def __init__(self, name: str, more: str = "") -> None:
        super().__init__(f"The given SSH key name was invalid{more}")
        data = {"ssh-key": name, "public-doc": PAGE}
        self.detail: dict[str, Any] = {"ErrorCode": CODE, "ErrorMessage": str(self), "ErrorData": [data]}


def public_key(endpoint: str, cluster: Cluster) -> str:
    """In OpenSSH's format; empty for a cluster without a key pair. Raises ``InvalidKeyName``, ``Unanswered``."""
    name = cluster.ec2.get("Ec2KeyName", "")
    if not name:
        return ""
    ec2 = client("ec2", endpoint, cluster.account, cluster.region)
    try:
        (found,) = ask(ec2.describe_key_pairs, KeyNames=[name], IncludePublicKey=True)["KeyPairs"]
    except Unanswered as error:
        if error.code != "InvalidKeyPair.NotFound":
            raise
        raise InvalidKeyName(name) from error
    if not found.get("PublicKey"):
        raise InvalidKeyName(name, ": it was made by an earlier emrlab, without a public key. Create it anew")
    return str(found["PublicKey"])
