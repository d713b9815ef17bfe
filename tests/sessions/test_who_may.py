"""Who may ask what of a session, and how others are let in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from sessions import services
from sessions.choices import Phase
from sessions.models import Session, SessionShare
from streamspace.accounts.models import User
from streamspace.errors import NotFound, Refused, UserError
from tests.making import fresh, make_guest, make_session, make_user

pytestmark = pytest.mark.django_db

RUNNING = {"phase": Phase.RUNNING, "running_since": timezone.now(), "observed_generation": 1}

CALLS: dict[str, Callable[[Session, User], object]] = {
    "hibernate": lambda s, u: services.hibernate(s.pk, actor=u),
    "wake": lambda s, u: services.wake(s.pk, actor=u),
    "extend": lambda s, u: services.extend(s.pk, actor=u),
    "terminate": lambda s, u: services.terminate(s.pk, actor=u),
    "rename": lambda s, u: services.rename(s.pk, "other", actor=u),
    "share": lambda s, u: services.share(s.pk, "third", "view", actor=u),
    "unshare": lambda s, u: services.unshare(s.pk, "third", actor=u),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_stranger_cannot_tell_a_session_from_none(call: str) -> None:
    make_user("third")
    stranger = make_user()
    hidden = make_session(**RUNNING)
    absent = Session(pk=uuid4())
    answers = []
    for session in (hidden, absent):
        with pytest.raises(NotFound) as caught:
            CALLS[call](session, stranger)
        answers.append(caught.value.as_dict())
    assert answers[0] == answers[1]
    assert fresh(hidden).version == hidden.version


@pytest.mark.parametrize(
    ("who", "call"),
    [("owner", c) for c in CALLS] + [("staff", c) for c in CALLS if c != "share"],
)
def test_the_owner_may_do_everything_and_staff_all_but_share(who: str, call: str) -> None:
    make_user("third")
    session = make_session(**RUNNING)
    actor = session.owner if who == "owner" else make_user(is_staff=True)
    CALLS[call](session, actor)


@pytest.mark.parametrize("role", ["view", "control"])
def test_staff_cannot_let_themselves_in(role: Any) -> None:
    session = make_session(**RUNNING)
    staff = make_user(is_staff=True, is_superuser=True)
    with pytest.raises(Refused):
        services.share(session.pk, staff.username, role, actor=staff)
    assert not session.shares.exists()


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("role", ["view", "control"])
def test_a_guest_may_extend_with_control_and_nothing_else(call: str, role: str) -> None:
    make_user("third")
    session = make_session(**RUNNING)
    guest = make_guest(session, role)
    if (call, role) == ("extend", "control"):
        CALLS[call](session, guest)
    else:
        with pytest.raises(Refused):
            CALLS[call](session, guest)


# --- Shares


def test_sharing_lets_a_guest_in_and_unsharing_out() -> None:
    session = make_session()
    guest = make_user("guest")
    services.share(session.pk, "guest", "view")
    assert SessionShare.objects.get(session=session).user == guest
    services.unshare(session.pk, "guest")
    assert not SessionShare.objects.exists()


def test_sharing_again_replaces_the_role() -> None:
    session = make_session()
    make_user("guest")
    services.share(session.pk, "guest", "view")
    services.share(session.pk, "guest", "control")
    assert SessionShare.objects.get().role == "control"


def test_sharing_the_same_again_writes_nothing() -> None:
    session = make_session()
    make_user("guest")
    services.share(session.pk, "guest", "view")
    before = fresh(session).version
    services.share(session.pk, "guest", "view")
    assert fresh(session).version == before


def test_unsharing_what_is_not_shared_is_success() -> None:
    session = make_session()
    services.unshare(session.pk, "nobody")
    assert fresh(session).version == session.version


@pytest.mark.parametrize(("username", "role"), [("owner", "view"), ("guest", "owner")])
def test_a_share_is_for_others_and_not_for_ownership(username: str, role: Any) -> None:
    session = make_session(make_user("owner"))
    make_user("guest")
    with pytest.raises(UserError):
        services.share(session.pk, username, role)


def test_sharing_with_nobody_known_or_active_is_not_found() -> None:
    session = make_session()
    make_user("gone", is_active=False)
    for username in ("gone", "unknown"):
        with pytest.raises(NotFound) as caught:
            services.share(session.pk, username, "view")
        assert caught.value.code == "user_not_found"
