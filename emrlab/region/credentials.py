"""Settings that point every AWS client at the region, and none at a real account.

Credentials are dummies, profiles and configuration come from two files in the home, and the endpoint is set for
all services: a request that misses the region fails, it does not reach AWS.
"""

from __future__ import annotations

import os
from pathlib import Path

from ..home import Home

KEY = "test"
SECRET = "test"
LOOPBACK = ("127.0.0.1", "localhost")
# What a real account's user may have in the environment, and what it is here. Set only where it is found: a learner's
# `emrlab env` stays short.
COUNTERED = {
    "AWS_DEFAULT_PROFILE": "default",  # botocore prefers it to AWS_PROFILE
    "AWS_SECURITY_TOKEN": "",
    "AWS_CREDENTIAL_EXPIRATION": "",  # of other credentials: ours do not expire
    "AWS_ACCOUNT_ID": "",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false",
    "AWS_USE_FIPS_ENDPOINT": "false",
    "AWS_USE_DUALSTACK_ENDPOINT": "false",
    "AWS_ENDPOINT_DISCOVERY_ENABLED": "false",
    "AWS_AUTH_SCHEME_PREFERENCE": "",
}


def folder(home: Home) -> Path:
    return home.region / "aws"


def write(home: Home, region: str) -> None:
    """The configuration and credentials files that ``environment`` names."""
    place = folder(home)
    place.mkdir(parents=True, exist_ok=True)
    # Signature 4 for presigned URLs too: boto3's default for them is the old one.
    config = (
        f"[default]\nregion = {region}\noutput = json\ndisable_host_prefix_injection = true\n"
        "s3 =\n    addressing_style = path\n    signature_version = s3v4\n"
    )
    secrets = f"[default]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n"
    for name, text in (("config", config), ("credentials", secrets)):
        file = place / name
        if not file.exists() or file.read_text() != text:
            file.write_text(text)


def environment(home: Home, endpoint: str, region: str) -> dict[str, str]:
    """Variables for a shell, a notebook or a node. What the caller's own environment would override is covered too:
    a profile, a session token, endpoints of single services, a proxy."""
    settings = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_SESSION_TOKEN": "",
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
        "AWS_PROFILE": "default",
        "AWS_CONFIG_FILE": str(folder(home) / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder(home) / "credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",  # no operation asks for sync-127.0.0.1
        "AWS_PAGER": "",
        "EMRLAB_HOME": str(home.root),
    }
    settings |= {name: value for name, value in COUNTERED.items() if name in os.environ}
    settings |= {name: endpoint for name in os.environ if name.startswith("AWS_ENDPOINT_URL_")}
    if any(os.environ.get(name) for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")):
        for name in ("no_proxy", "NO_PROXY"):
            known = [host for host in os.environ.get(name, "").split(",") if host]
            settings[name] = ",".join([*known, *(host for host in LOOPBACK if host not in known)])
    return settings
