"""A session's card and page, and what can be pressed there."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from sessions import services
from sessions.models import Session, SessionShare
from streamspace.accounts.models import Quota, User

from .conftest import HTMX, MakeSession

STATES = {
    "Starting": {"phase": "Pending"},
    "Waking": {"phase": "Hibernated"},
    "Running": {"phase": "Running"},
    "Hibernating": {"phase": "Running", "desired_state": "hibernated"},
    "Hibernated": {"phase": "Hibernated", "desired_state": "hibernated"},
    "Failed": {"phase": "Failed"},
    "Terminating": {"phase": "Running", "desired_state": "terminated"},
}
FAILURE = {
    "reason": "ApplicationExited",
    "message": "The application ended with exit status 1.",
    "who": "operator",
    "actions": ["retry"],
    "log": ["cannot open <display>", "bye"],
}


def card(client: Client, session: Session) -> str:
    return client.get(f"/sessions/{session.name}/card", headers=HTMX).content.decode()


def toast(answer: object) -> dict[str, str]:
    return json.loads(answer.headers["HX-Trigger"])["toast"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("state", STATES)
def test_a_card_says_its_state_and_offers_what_is_allowed(
    state: str, alice: User, alices: Client, make_session: MakeSession
) -> None:
    session = make_session(alice, **STATES[state])
    shown = card(alices, session)
    assert f'data-state="{state}"' in shown
    for action in ("hibernate", "wake", "retry", "terminate", "enter"):
        allowed = {"enter": "open"}.get(action, action) in session.allowed_actions
        assert (f'"/sessions/{session.name}/{action}"' in shown) == allowed, action


def test_a_starting_card_says_what_it_waits_for(
    alice: User, alices: Client, make_session: MakeSession
) -> None:
    session = make_session(alice, phase="Pending", step="Pulling the image")
    assert "Pulling the image" in card(alices, session)


def test_a_failed_card_explains_itself(
    alice: User, alices: Client, make_session: MakeSession
) -> None:
    shown = card(alices, make_session(alice, phase="Failed", explanation=FAILURE))
    assert "The application ended with exit status 1." in shown
    assert "An operator can fix this." in shown
    assert "cannot open &lt;display&gt;" in shown


def test_a_card_counts_down_to_hibernation(
    alice: User, alices: Client, make_session: MakeSession
) -> None:
    now = timezone.now()
    session = make_session(
        alice,
        idle_timeout=timedelta(minutes=30),
        running_since=now - timedelta(hours=1),
        last_activity_at=now - timedelta(minutes=5, seconds=30),
    )
    shown = card(alices, session)
    assert ">24 min</time>" in shown
    assert "data-warn-at" in shown
    assert shown.split("data-warn-at")[1].split(">")[0].endswith("hidden")


def test_a_card_warns_when_hibernation_is_near(
    alice: User, alices: Client, make_session: MakeSession
) -> None:
    now = timezone.now()
    session = make_session(
        alice,
        idle_timeout=timedelta(minutes=30),
        running_since=now - timedelta(hours=1),
        last_activity_at=now - timedelta(minutes=27),
    )
    shown = card(alices, session)
    assert not shown.split("data-warn-at")[1].split(">")[0].endswith("hidden")
    assert "Keep it running" in shown


def test_the_longest_duration_cannot_be_extended(
    alice: User, alices: Client, make_session: MakeSession
) -> None:
    now = timezone.now()
    session = make_session(
        alice, max_duration=timedelta(hours=1), running_since=now - timedelta(minutes=57)
    )
    shown = card(alices, session)
    assert "Its longest duration ends" in shown
    assert "Keep it running" not in shown


def test_a_terminated_card_removes_itself(
    alice: User, alices: Client, make_session: MakeSession
) -> None:
    session = make_session(alice, phase="Terminated", desired_state="terminated")
    answer = alices.get(f"/sessions/{session.name}/card", headers=HTMX)
    assert answer.headers["HX-Reswap"] == "delete"


def test_a_cards_address_opened_as_a_page_leads_to_the_session(
    alice: User, alices: Client, make_session: MakeSession
) -> None:
    session = make_session(alice)
    answer = alices.get(f"/sessions/{session.name}/card")
    assert answer.headers["Location"] == f"/sessions/{session.name}"


@pytest.mark.parametrize(
    ("action", "before", "wish"),
    [
        ("hibernate", STATES["Running"], "hibernated"),
        ("hibernate", STATES["Starting"], "hibernated"),
        ("wake", STATES["Hibernated"], "running"),
        ("retry", STATES["Failed"], "running"),
        ("terminate", STATES["Failed"], "terminated"),
    ],
)
def test_an_action_changes_the_wish(
    action: str,
    before: dict[str, str],
    wish: str,
    alice: User,
    alices: Client,
    make_session: MakeSession,
) -> None:
    session = make_session(alice, **before)
    answer = alices.post(f"/sessions/{session.name}/{action}", headers=HTMX)
    assert answer.status_code == 200
    assert Session.objects.get(pk=session.pk).desired_state == wish


def test_without_a_script_an_action_leads_back(
    alice: User, alices: Client, make_session: MakeSession
) -> None:
    session = make_session(alice)
    answer = alices.post(f"/sessions/{session.name}/hibernate", {"next": "/"})
    assert answer.headers["Location"] == "/"


@pytest.mark.parametrize("target", ["https://evil.example", "//evil.example", "javascript:1"])
def test_next_cannot_lead_elsewhere(
    target: str, alice: User, alices: Client, make_session: MakeSession
) -> None:
    session = make_session(alice)
    answer = alices.post(f"/sessions/{session.name}/hibernate", {"next": target})
    assert answer.headers["Location"] == f"/sessions/{session.name}"


def test_a_refused_action_says_why(alice: User, alices: Client, make_session: MakeSession) -> None:
    make_session(alice)
    resting = make_session(alice, **STATES["Hibernated"])
    Quota.objects.create(user=alice, max_running=1)
    answer = alices.post(f"/sessions/{resting.name}/wake", headers=HTMX)
    assert answer.status_code == 403
    assert toast(answer)["level"] == "error"
    assert "running sessions" in toast(answer)["text"]


def test_without_a_script_a_refusal_is_a_message(
    alice: User, alices: Client, make_session: MakeSession
) -> None:
    make_session(alice)
    resting = make_session(alice, **STATES["Hibernated"])
    Quota.objects.create(user=alice, max_running=1)
    page = alices.post(f"/sessions/{resting.name}/wake", {"next": "/"}, follow=True)
    assert "Your quota for running sessions is 1" in page.content.decode()


def test_rename(alice: User, alices: Client, make_session: MakeSession) -> None:
    session = make_session(alice)
    shown = alices.post(
        f"/sessions/{session.name}", {"display_name": " Thesis "}, headers=HTMX
    ).content.decode()
    assert ">Thesis</a>" in shown
    assert Session.objects.get(pk=session.pk).display_name == "Thesis"


def test_an_empty_name_is_refused(alice: User, alices: Client, make_session: MakeSession) -> None:
    session = make_session(alice)
    answer = alices.post(f"/sessions/{session.name}", {"display_name": " "}, headers=HTMX)
    assert answer.status_code == 400


@pytest.mark.parametrize(("home", "words"), [(True, "files in it stay"), (False, "is lost")])
def test_terminating_says_what_becomes_of_the_files(
    home: bool, words: str, alice: User, alices: Client, make_session: MakeSession
) -> None:
    session = make_session(alice, home=home)
    assert words in alices.get(f"/sessions/{session.name}/terminate").content.decode()
    assert words in card(alices, session)


def test_the_page_tells_history_and_facts(
    alice: User, alices: Client, make_session: MakeSession
) -> None:
    session = make_session(alice)
    services.extend(session.pk, actor=alice)
    page = alices.get(f"/sessions/{session.name}").content.decode()
    for fact in ("Launched", "Extended", "0.5 CPU", "1 GiB", "revision 1", session.name):
        assert fact in page


def test_share_and_revoke(
    alice: User, bob: User, alices: Client, make_session: MakeSession
) -> None:
    session = make_session(alice)
    address = f"/sessions/{session.name}"
    alices.post(f"{address}/share", {"username": "bob", "role": "control"})
    assert SessionShare.objects.get().role == "control"
    assert "bob" in alices.get(address).content.decode()
    alices.post(f"{address}/unshare", {"username": "bob"})
    assert not SessionShare.objects.exists()


@pytest.mark.parametrize(
    ("who", "role", "status"),
    [("nobody", "view", 404), ("alice", "view", 400), ("bob", "owner", 400), ("bob", "", 400)],
)
def test_shares_that_make_no_sense_are_refused(
    who: str,
    role: str,
    status: int,
    alice: User,
    bob: User,
    alices: Client,
    make_session: MakeSession,
) -> None:
    session = make_session(alice)
    answer = alices.post(
        f"/sessions/{session.name}/share", {"username": who, "role": role}, headers=HTMX
    )
    assert answer.status_code == status
    assert not SessionShare.objects.exists()


def test_a_change_made_on_the_sessions_page_brings_that_page_up_to_date(
    alice: User, alices: Client, make_session: MakeSession
) -> None:
    session = make_session(alice)
    shown = alices.post(
        f"/sessions/{session.name}/hibernate", headers={**HTMX, "HX-Target": "session-detail"}
    ).content.decode()
    assert 'id="session-detail"' in shown
    assert "<html" not in shown


@pytest.mark.parametrize("action", ["share", "unshare"])
def test_a_name_reaches_the_database_without_nul(
    action: str, alice: User, alices: Client, make_session: MakeSession
) -> None:
    User.objects.create_user("zoe")
    session = make_session(alice)
    if action == "unshare":
        services.share(session.pk, "zoe", "view", actor=alice)
    alices.post(f"/sessions/{session.name}/{action}", {"username": "z\0oe", "role": "view"})
    assert session.shares.exists() is (action == "share")
