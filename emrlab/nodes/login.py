"""What a login on a node has: its environment, its home, the keys that open it."""

from __future__ import annotations

from pathlib import Path

USER = "hadoop"
KEYS = ".ssh/authorized_keys"
PROFILE = r"""# What a login has: the machine's /etc/profile, which was read before, has put another PATH in place.
while IFS= read -r pair; do
    case $pair in [A-Za-z_]*=*) export "$pair" ;; esac
done < "$EMRLAB_NODE/etc/environment"
unset pair
PS1='[hadoop@'${EMRLAB_NODE_NAME%%.*}' \W]$ '
if [ -f ~/.bashrc ]; then . ~/.bashrc; fi
"""


def environment(folder: Path) -> dict[str, str]:
    """The node's ``etc/environment``. Raises ``OSError`` while it has none."""
    lines = (folder / "etc" / "environment").read_text().splitlines()
    pairs = (line.split("=", 1) for line in lines if "=" in line and not line.lstrip().startswith("#"))
    return {name.strip(): value for name, value in pairs}


def home(folder: Path) -> Path:
    return folder / "home" / USER


def allow(folder: Path, public_key: str) -> None:
    """Let who holds the other half of ``public_key`` (OpenSSH's format) log in. What is there already stays."""
    place = home(folder)
    keys = place / KEYS
    keys.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    known = keys.read_text() if keys.is_file() else ""
    if public_key.strip() not in known.splitlines():
        keys.touch(mode=0o600)
        keys.write_text(f"{known}{public_key.strip()}\n")
    profile = place / ".bash_profile"
    if not profile.exists():
        profile.write_text(PROFILE)
