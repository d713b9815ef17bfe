"""The viewer's status socket."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.utils import timezone

from sessions import services
from sessions.models import Session
from sessions.publish import announce
from sessions.stream.codes import Close
from tests.sessions.stream.browser import close_code
from tests.sessions.stream.conftest import World, wait_until

RFB = {"kind": "rfb", "socket": "/nowhere/rfb.sock"}
WEB = {"kind": "http", "socket": "/nowhere/http.sock"}
PATH = "/_streamspace/status"


def receive(websocket: Any, kind: str) -> dict[str, Any]:
    while True:
        message: dict[str, Any] = json.loads(websocket.recv(timeout=5))
        if message["type"] == kind:
            return message


def ask(websocket: Any, kind: str) -> None:
    websocket.send(json.dumps({"type": kind}))


def test_the_state_comes_at_once_and_after_each_change(world: World, alice) -> None:
    session = world.session(alice, "one", RFB)
    with world.browser(session, alice).socket(PATH) as websocket:
        first = receive(websocket, "state")
        assert first["session"]["display_state"] == "running"
        assert first["session"]["role"] == "owner"
        assert "T" in first["now"]
        Session.objects.update(desired_state="hibernated", version=2)
        session.refresh_from_db()
        announce(session)
        assert receive(websocket, "state")["session"]["display_state"] == "hibernating"
        Session.objects.update(desired_state="terminated", version=3)
        announce(session)
        assert close_code(websocket) == Close.GONE


def test_the_owner_can_hibernate_and_wake_from_the_viewer(world: World, alice) -> None:
    session = world.session(alice, "one", RFB)
    with world.browser(session, alice).socket(PATH) as websocket:
        receive(websocket, "state")
        ask(websocket, "hibernate")
        assert receive(websocket, "state")["session"]["desired_state"] == "hibernated"
        Session.objects.update(phase="Hibernated")
        ask(websocket, "wake")
        wait_until(
            lambda: receive(websocket, "state")["session"]["desired_state"] == "running", "waking"
        )


def test_extending_moves_the_idle_clock(world: World, alice) -> None:
    session = world.session(alice, "one", RFB)
    early = timezone.now() - timedelta(minutes=10)
    Session.objects.update(last_activity_at=early, idle_timeout=timedelta(minutes=30))
    with world.browser(session, alice).socket(PATH) as websocket:
        receive(websocket, "state")
        ask(websocket, "extend")
        receive(websocket, "state")
    session.refresh_from_db()
    assert session.last_activity_at > early


@pytest.mark.parametrize(
    ("role", "request_"),
    [
        *(("view", "extend"), ("view", "wake"), ("view", "hibernate")),
        *(("control", "wake"), ("control", "hibernate")),
    ],
)
def test_a_guest_is_refused(world: World, alice, bob, role: str, request_: str) -> None:
    session = world.session(alice, "one", RFB)
    world.share(session, bob, role)
    with world.browser(session, bob).socket(PATH) as websocket:
        receive(websocket, "state")
        ask(websocket, request_)
        assert receive(websocket, "error")["error"] == "permission_denied"
    session.refresh_from_db()
    assert session.desired_state == "running"


def test_what_a_service_refuses_is_answered(world: World, alice) -> None:
    session = world.session(alice, "one", None)
    with world.browser(session, alice).socket(PATH) as websocket:
        receive(websocket, "state")
        ask(websocket, "extend")
        assert receive(websocket, "error")["error"] == "not_running"


@pytest.mark.parametrize(
    "text", ["", "no json", "[]", "{}", '{"type": 1}', '{"type": "other"}', "[" * 4000]
)
def test_nonsense_is_answered_and_the_socket_lives(world: World, alice, text: str) -> None:
    session = world.session(alice, "one", RFB)
    with world.browser(session, alice).socket(PATH) as websocket:
        receive(websocket, "state")
        websocket.send(text)
        assert receive(websocket, "error")["error"] == "invalid_request"


@pytest.mark.parametrize(("role", "counts"), [("control", True), ("view", False)])
def test_input_reported_by_the_viewer_counts(world, alice, bob, role, counts) -> None:
    session = world.session(alice, "one", WEB, app_type="webapp")
    world.share(session, bob, role)
    with world.browser(session, bob).socket(PATH) as websocket:
        receive(websocket, "state")
        ask(websocket, "input")
        ask(websocket, "other")
        receive(websocket, "error")  # answered in order, so the input was handled
        if counts:
            wait_until(lambda: cache.get(f"activity:{session.id.hex}"), "the input to be recorded")
    assert (cache.get(f"activity:{session.id.hex}") is not None) is counts


def test_a_viewer_that_was_away_comes_back_to_a_hibernated_session(world: World, alice) -> None:
    session = world.session(alice, "one", RFB)
    services.hibernate(session.id, actor=alice)
    Session.objects.update(phase="Hibernated")
    browser = world.browser(session, alice)
    with browser.socket(PATH) as websocket:
        state = receive(websocket, "state")["session"]
        assert state["display_state"] == "hibernated"
        assert "wake" in state["actions"]
    assert b"Session one" in browser.get("/_streamspace/view").body
