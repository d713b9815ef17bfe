"""Going into a session."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from sessions import services
from sessions.stream import tickets
from streamspace.accounts.models import User

from .conftest import HTMX, MakeSession
from .test_sessions import FAILURE, STATES


def code_in(page: str) -> str:
    found = re.search(r'name="code" value="([^"]+)"', page)
    assert found, page
    return found[1]


def test_a_running_session_is_entered_with_a_code_in_the_body(
    alice: User, alices: Client, make_session: MakeSession
) -> None:
    session = make_session(alice)
    answer = alices.get(f"/sessions/{session.name}/enter")
    page = answer.content.decode()
    assert f'action="http://{session.name}.localhost:8000/_streamspace/enter"' in page
    entry = tickets.redeem(code_in(page), session.name)
    assert entry is not None
    assert entry.user_id == alice.pk


def test_the_page_with_a_code_is_never_stored(
    alice: User, alices: Client, make_session: MakeSession
) -> None:
    answer = alices.get(f"/sessions/{make_session(alice).name}/enter")
    assert "no-store" in answer.headers["Cache-Control"]


def test_the_browser_tells_the_session_where_it_comes_from(
    alice: User, alices: Client, make_session: MakeSession
) -> None:
    answer = alices.get(f"/sessions/{make_session(alice).name}/enter")
    assert answer.headers["Referrer-Policy"] == "strict-origin"


@pytest.mark.parametrize("role", ["view", "control"])
def test_a_guest_enters_too(
    role: str, alice: User, bob: User, bobs: Client, make_session: MakeSession
) -> None:
    session = make_session(alice)
    services.share(session.pk, "bob", role)  # type: ignore[arg-type]
    entry = tickets.redeem(
        code_in(bobs.get(f"/sessions/{session.name}/enter").content.decode()), session.name
    )
    assert entry is not None
    assert entry.user_id == bob.pk


@pytest.mark.parametrize("state", ["Starting", "Waking"])
def test_a_starting_session_is_waited_for(
    state: str, alice: User, alices: Client, make_session: MakeSession
) -> None:
    session = make_session(alice, **STATES[state], step="Starting the display")
    page = alices.get(f"/sessions/{session.name}/enter").content.decode()
    assert "Starting the display" in page
    assert 'name="code"' not in page


def test_waiting_ends_when_the_session_runs(
    alice: User, alices: Client, make_session: MakeSession
) -> None:
    session = make_session(alice)
    answer = alices.get(f"/sessions/{session.name}/enter", headers={**HTMX, "HX-Target": "enter"})
    assert answer.headers["HX-Refresh"] == "true"
    assert answer.content == b""


def test_a_hibernated_session_is_woken_from_here(
    alice: User, alices: Client, make_session: MakeSession
) -> None:
    session = make_session(alice, **STATES["Hibernated"])
    page = alices.get(f"/sessions/{session.name}/enter").content.decode()
    assert f'action="/sessions/{session.name}/wake"' in page
    shown = alices.post(
        f"/sessions/{session.name}/wake", headers={**HTMX, "HX-Target": "enter"}
    ).content.decode()
    assert 'id="enter"' in shown
    assert "Waking" in shown


def test_a_guest_cannot_wake_it(
    alice: User, bob: User, bobs: Client, make_session: MakeSession
) -> None:
    session = make_session(alice, **STATES["Hibernated"])
    services.share(session.pk, "bob", "control")
    page = bobs.get(f"/sessions/{session.name}/enter").content.decode()
    assert "/wake" not in page
    assert "Only alice can start it." in page


def test_a_failed_session_explains_itself(
    alice: User, alices: Client, make_session: MakeSession
) -> None:
    session = make_session(alice, phase="Failed", explanation=FAILURE)
    page = alices.get(f"/sessions/{session.name}/enter").content.decode()
    assert "exit status 1" in page
    assert f'action="/sessions/{session.name}/retry"' in page
