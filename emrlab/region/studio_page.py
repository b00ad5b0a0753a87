"""What opens at a Studio's access URL: its settings, and where notebooks are instead of its Workspaces."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from .protocol import Answer

if TYPE_CHECKING:
    from .gateway import Emr

PREFIX = "/_emrlab/studios/"  # as in emr/operations/studios.py
HTML = {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
}
PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{name}</title>
<style>:root {{ color-scheme: light dark }} body {{ font: 1rem/1.5 sans-serif; max-width: 45rem; margin: 2rem auto }}
th {{ text-align: left; padding-right: 2rem; vertical-align: top }}</style></head>
<body><main>
<h1>{name}</h1>
{body}
</main></body></html>
"""
INSTEAD = (
    "<p>Workspaces of EMR Studio are not emulated. Notebooks are in emrlab's JupyterLab (<code>emrlab lab</code>); "
    "<code>aws emr start-notebook-execution</code> runs one on a cluster.</p>"
)


def answer(emr: Emr | None, path: str) -> Answer:
    """The page of the Studio whose id ends ``path``; 404 when there is none, 503 while EMR is starting."""
    if emr is None:
        return page(503, "EMR is still starting", "<p>Ask again in a moment.</p>")
    from ..emr.account import Studio

    studio_id = path.removeprefix(PREFIX)
    found = emr.history.get(Studio, studio_id)
    if found is None:
        return page(404, "Studio does not exist", "<p><code>aws emr list-studios</code> tells those that do.</p>")
    facts = {
        "Id": found.id,
        "Users sign in with": {"SSO": "IAM Identity Center", "IAM": "IAM"}[found.auth_mode],
        "VPC": found.vpc,
        "Subnets": ", ".join(found.subnets),
        "Notebooks are kept in": found.settings["DefaultS3Location"],
    }
    rows = "\n".join(f"<tr><th scope='row'>{name}</th><td>{escape(text)}</td></tr>" for name, text in facts.items())
    about = f"<p>{escape(found.settings['Description'])}</p>" if found.settings.get("Description") else ""
    return page(200, found.name, f"{about}\n<table>\n{rows}\n</table>\n{INSTEAD}")


def page(status: int, name: str, body: str) -> Answer:
    return Answer(status, dict(HTML), PAGE.format(name=escape(name), body=body).encode())
