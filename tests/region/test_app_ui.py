"""Presigned URLs of user interfaces at the gateway: they lead on without a signature, for whoever has one."""

from __future__ import annotations

import pytest

from emrlab.emr.interactive import links
from emrlab.region import app_ui


@pytest.fixture
def known(emr, monkeypatch):
    monkeypatch.setattr(type(emr), "user_interface", {"right": "http://127.1.2.3:18080/"}.get, raising=False)


def test_the_two_sides_know_the_same_path():
    assert app_ui.PREFIX == links.PREFIX


@pytest.mark.usefixtures("known")
def test_a_link_leads_on_to_the_interface(send):
    for method in ("GET", "HEAD"):
        reply = send(method, f"{app_ui.PREFIX}right", scope="")
        assert (reply.status, reply.headers["location"]) == (302, "http://127.1.2.3:18080/")


@pytest.mark.usefixtures("known")
def test_an_unknown_link_and_one_asked_for_under_a_foreign_name_lead_nowhere(send):
    reply = send("GET", f"{app_ui.PREFIX}wrong", scope="")
    assert reply.status == 403
    assert b"expired" in reply.body
    assert send("GET", f"{app_ui.PREFIX}right", scope="", host="evil.example:4510").status == 403
    assert "location" not in send("GET", f"{app_ui.PREFIX}right/more", scope="").headers
