"""Sharing a session, and what guests see and may do."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from sessions.choices import Phase
from sessions.models import Session
from tests.api.conftest import ROOT, World
from tests.api.test_sessions import SESSIONS, names


@pytest.mark.parametrize(("role", "allowed"), [("view", ["open"]), ("control", ["extend", "open"])])
def test_guests_see_it_and_may_do_what_their_role_gives(
    as_owner: APIClient, as_stranger: APIClient, world: World, role: str, allowed: list[str]
) -> None:
    Session.objects.update(phase=Phase.RUNNING)
    address = f"{SESSIONS}/{world.session.name}"
    shared = as_owner.post(f"{address}/shares", {"user": "stranger", "role": role}, format="json")
    assert shared.status_code == 201
    body = as_stranger.get(address).json()
    assert (body["role"], body["actions"]) == (role, allowed)
    assert names(as_stranger.get(SESSIONS)) == [world.session.name]
    extended = as_stranger.post(f"{address}/extend")
    assert extended.status_code == (200 if role == "control" else 403)
    for refused in (
        as_stranger.delete(address),
        as_stranger.post(f"{address}/terminate"),
        as_stranger.post(f"{address}/hibernate"),
        as_stranger.post(f"{address}/wake"),
        as_stranger.patch(address, {"display_name": "x"}, format="json"),
        as_stranger.get(f"{address}/shares"),
        as_stranger.post(f"{address}/shares", {"user": "staff", "role": "view"}, format="json"),
        as_stranger.delete(f"{address}/shares/stranger"),
        as_stranger.get(f"{address}/events"),
    ):
        assert refused.status_code == 403, refused.content
    assert as_stranger.get(f"{ROOT}/events").json()["count"] == 0


def test_a_share_is_replaced_and_taken_back(
    as_owner: APIClient, as_stranger: APIClient, world: World
) -> None:
    shares = f"{SESSIONS}/{world.session.name}/shares"
    for role in ("view", "control"):
        as_owner.post(shares, {"user": "stranger", "role": role}, format="json")
    [share] = as_owner.get(shares).json()["results"]
    assert (share["user"], share["role"]) == ("stranger", "control")
    assert as_owner.delete(f"{shares}/stranger").status_code == 204
    assert as_owner.delete(f"{shares}/stranger").status_code == 204
    assert as_stranger.get(f"{SESSIONS}/{world.session.name}").status_code == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"user": "nobody", "role": "view"}, 404),
        ({"user": "owner", "role": "view"}, 400),
        ({"user": "stranger", "role": "owner"}, 400),
        ({"user": "stranger"}, 400),
    ],
)
def test_shares_that_make_no_sense(
    as_owner: APIClient, world: World, body: dict[str, str], status: int
) -> None:
    shares = f"{SESSIONS}/{world.session.name}/shares"
    assert as_owner.post(shares, body, format="json").status_code == status


def test_staff_manage_but_do_not_open(as_staff: APIClient, world: World) -> None:
    body = as_staff.get(f"{SESSIONS}/{world.session.name}").json()
    assert body["role"] is None
    assert "open" not in body["actions"]
    assert "terminate" in body["actions"]
