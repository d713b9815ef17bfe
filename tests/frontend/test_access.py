"""Every address of the portal, as seen by the owner, by somebody else and by nobody."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from frontend import urls
from sessions import services
from sessions.models import Session
from streamspace.accounts.models import User

from .conftest import HTMX, MakeSession

OF_A_SESSION = [
    ("session", "get"),
    ("session", "post"),
    ("session-card", "get"),
    ("session-enter", "get"),
    ("session-terminate", "get"),
    ("session-terminate", "post"),
    ("session-extend", "post"),
    ("session-share", "post"),
    ("session-unshare", "post"),
    ("session-hibernate", "post"),
    ("session-wake", "post"),
    ("session-retry", "post"),
]
FOR_OWNERS = [pair for pair in OF_A_SESSION if pair[1] == "post" and pair[0] != "session-extend"]
OTHERS = [
    ("home", "get", []),
    ("sessions", "get", []),
    ("template", "get", ["firefox"]),
    ("template-icon", "get", ["firefox"]),
    ("template-favourite", "post", ["firefox"]),
    ("launch", "get", ["firefox"]),
    ("launch", "post", ["firefox"]),
    ("launch-fits", "get", ["firefox"]),
    ("quota", "get", []),
    ("tokens", "get", []),
    ("tokens", "post", []),
    ("token-revoke", "post", ["abc"]),
]
PUBLIC = {"favicon"}


def test_the_lists_of_this_module_name_every_address() -> None:
    named = {name for name, _ in OF_A_SESSION} | {name for name, _, _ in OTHERS} | PUBLIC
    assert {pattern.name for pattern in urls.urlpatterns} == named


@pytest.mark.parametrize(("name", "method"), OF_A_SESSION)
def test_somebody_elses_session_is_not_found(
    name: str, method: str, alice: User, bobs: Client, make_session: MakeSession
) -> None:
    session = make_session(alice)
    answer = getattr(bobs, method)(reverse(name, args=[session.name]), headers=HTMX)
    assert answer.status_code == 404
    assert alice.username not in answer.content.decode()


@pytest.mark.parametrize(("name", "method"), OF_A_SESSION)
def test_staff_get_no_access_through_the_portal(
    name: str, method: str, alice: User, bob: User, bobs: Client, make_session: MakeSession
) -> None:
    User.objects.filter(pk=bob.pk).update(is_staff=True, is_superuser=True)
    session = make_session(alice)
    answer = getattr(bobs, method)(reverse(name, args=[session.name]))
    assert answer.status_code == 404


@pytest.mark.parametrize(("name", "method"), FOR_OWNERS)
def test_a_guest_may_not_do_what_owners_do(
    name: str, method: str, alice: User, bob: User, bobs: Client, make_session: MakeSession
) -> None:
    session = make_session(alice)
    services.share(session.pk, "bob", "control")
    before = Session.objects.values().get(pk=session.pk)
    answer = getattr(bobs, method)(
        reverse(name, args=[session.name]),
        {"display_name": "mine", "username": "bob", "role": "control"},
    )
    assert answer.status_code == 404
    assert Session.objects.values().get(pk=session.pk) == before


@pytest.mark.parametrize(("name", "method"), OF_A_SESSION)
def test_nobody_is_sent_to_the_sign_in(
    name: str, method: str, alice: User, client: Client, make_session: MakeSession
) -> None:
    address = reverse(name, args=[make_session(alice).name])
    answer = getattr(client, method)(address)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/accounts/login/?next=")


@pytest.mark.parametrize(("name", "method", "args"), OTHERS)
def test_nothing_is_shown_before_the_sign_in(
    name: str, method: str, args: list[str], client: Client, db: None
) -> None:
    answer = getattr(client, method)(reverse(name, args=args))
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/accounts/login/?next=")


def test_a_part_of_a_page_is_never_replaced_by_the_sign_in(client: Client, db: None) -> None:
    answer = client.get("/sessions", headers=HTMX)
    assert answer.status_code == 401
    assert answer.headers["HX-Refresh"] == "true"
    assert answer.content == b""


@pytest.mark.parametrize(
    "name",
    [name for name, method in OF_A_SESSION if (name, "get") not in OF_A_SESSION],
)
def test_what_changes_something_cannot_be_fetched(
    name: str, alice: User, alices: Client, make_session: MakeSession
) -> None:
    assert alices.get(reverse(name, args=[make_session(alice).name])).status_code == 405


def test_changes_need_the_csrf_token(alice: User, make_session: MakeSession) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice, backend="django.contrib.auth.backends.ModelBackend")
    session = make_session(alice)
    answer = client.post(reverse("session-hibernate", args=[session.name]))
    assert answer.status_code == 403
    assert "This page was too old" in answer.content.decode()
    assert Session.objects.get(pk=session.pk).desired_state == "running"


def test_a_guest_who_may_only_watch_cannot_extend(
    alice: User, bob: User, bobs: Client, make_session: MakeSession
) -> None:
    session = make_session(alice)
    services.share(session.pk, "bob", "view")
    answer = bobs.post(reverse("session-extend", args=[session.name]), headers=HTMX)
    assert answer.status_code == 403


def test_a_guest_with_control_can_extend(
    alice: User, bob: User, bobs: Client, make_session: MakeSession
) -> None:
    session = make_session(alice)
    services.share(session.pk, "bob", "control")
    before = Session.objects.get(pk=session.pk).last_activity_at
    assert (
        bobs.post(reverse("session-extend", args=[session.name]), headers=HTMX).status_code == 200
    )
    assert Session.objects.get(pk=session.pk).last_activity_at > before


def test_a_guest_does_not_see_with_whom_else_it_is_shared(
    alice: User, bob: User, bobs: Client, make_session: MakeSession
) -> None:
    User.objects.create_user("carol")
    session = make_session(alice)
    services.share(session.pk, "bob", "view")
    services.share(session.pk, "carol", "view")
    page = bobs.get(reverse("session", args=[session.name])).content.decode()
    assert "carol" not in page
