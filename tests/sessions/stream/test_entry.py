"""Entering a session's origin, and everything that does not get in."""

from __future__ import annotations

import json

import pytest
import time_machine
from django.contrib.sessions.backends.db import SessionStore
from websockets.exceptions import InvalidStatus

from sessions.stream import tickets
from sessions.stream.codes import Close
from tests.sessions.stream.browser import Browser, close_code
from tests.sessions.stream.conftest import World

RFB = {"kind": "rfb", "socket": "/nowhere/rfb.sock"}
HTML = {"Accept": "text/html"}


def refusal(browser: Browser) -> int | None:
    with browser.socket("/_streamspace/status") as websocket:
        return close_code(websocket)


def test_a_code_is_swapped_for_a_cookie_that_opens_the_viewer(world: World, alice) -> None:
    session = world.session(alice, "one", RFB)
    browser = world.browser("one")
    code = tickets.issue(alice, session, "owner", world.sign_in(alice))
    entered = browser.enter(code)
    assert entered.status == 303
    assert entered.header("location") == "/_streamspace/view"
    cookie = entered.header("set-cookie")
    assert cookie is not None
    assert cookie.startswith(f"ss-stream-{tickets.cookie_name()[-8:]}=")
    for flag in ("HttpOnly", "SameSite=Lax", "Path=/"):
        assert flag in cookie
    assert "Domain" not in cookie
    redirect = browser.get("/")
    assert (redirect.status, redirect.header("location")) == (302, "/_streamspace/view")


def test_the_cookie_is_secure_and_bound_to_the_host_where_tls_is_on(settings) -> None:
    settings.STREAMSPACE = settings.STREAMSPACE.model_copy(
        update={"portal_url": "https://portal.example"}
    )
    assert tickets.set_cookie_header("v").startswith("__Host-ss-stream=v;")
    assert "; Secure" in tickets.set_cookie_header("v")


def test_the_cookie_does_not_give_the_portals_session_away(world: World, alice) -> None:
    session = world.session(alice, "one", RFB)
    assert world.sign_in(alice) not in world.cookie(alice, session)


def test_a_code_works_once(world: World, alice) -> None:
    session = world.session(alice, "one", RFB)
    code = tickets.issue(alice, session, "owner", world.sign_in(alice))
    assert world.browser("one").enter(code).status == 303
    again = world.browser("one").enter(code)
    assert again.status == 403
    assert f"{world.browser('one').portal}/sessions/one/enter".encode() in again.body
    assert code.encode() not in again.body


def test_a_code_expires(world: World, alice) -> None:
    session = world.session(alice, "one", RFB)
    with time_machine.travel(0, tick=False) as clock:
        code = tickets.issue(alice, session, "owner", world.sign_in(alice))
        clock.shift(tickets.CODE_LIFETIME + 1)
        assert tickets.redeem(code, "one") is None


def test_a_code_is_for_one_session_and_spent_when_shown_to_another(world: World, alice) -> None:
    session = world.session(alice, "one", RFB)
    world.session(alice, "two", RFB)
    code = tickets.issue(alice, session, "owner", world.sign_in(alice))
    assert world.browser("two").enter(code).status == 403
    assert world.browser("one").enter(code).status == 403


def test_a_code_of_a_user_without_access_is_refused(world: World, alice, bob) -> None:
    session = world.session(alice, "one", RFB)
    code = tickets.issue(bob, session, "view", world.sign_in(bob))
    assert world.browser("one").enter(code).status == 403


def test_a_code_is_worthless_after_signing_out(world: World, alice) -> None:
    session = world.session(alice, "one", RFB)
    code = tickets.issue(alice, session, "owner", world.sign_in(alice))
    SessionStore(world.sign_in(alice)).delete()
    assert world.browser("one").enter(code).status == 403


@pytest.mark.parametrize("origin", ["http://two.localhost:1", "null", "https://evil.example"])
def test_only_the_portal_may_enter(world: World, alice, origin: str) -> None:
    session = world.session(alice, "one", RFB)
    code = tickets.issue(alice, session, "owner", world.sign_in(alice))
    assert world.browser("one").enter(code, origin=origin).status == 403
    assert world.browser("one").enter(code).status == 303  # and the code was not spent


def test_a_person_without_cookie_is_sent_to_the_portal_and_a_program_is_told(world: World) -> None:
    browser = world.browser("nobodys")
    person = browser.request("GET", "/", headers=HTML)
    assert person.status == 302
    assert person.header("location") == f"{browser.portal}/sessions/nobodys/enter"
    program = browser.get("/")
    assert program.status == 401
    assert json.loads(program.body)["error"] == "entry_needed"
    script = browser.request("GET", "/", headers={**HTML, "Sec-Fetch-Mode": "cors"})
    assert script.status == 401
    assert refusal(browser) == Close.ENTRY_NEEDED


def test_a_cookie_opens_no_other_session(world: World, alice, bob) -> None:
    one, two = world.session(alice, "one", RFB), world.session(bob, "two", RFB)
    browser = world.browser(two)
    browser.cookies = world.cookie(alice, one)
    assert browser.get("/_streamspace/view").status == 401
    # Even a cookie that was made for it opens nothing without access.
    browser.cookies = world.cookie(alice, two)
    foreign = browser.get("/_streamspace/view")
    gone = world.browser("three")
    entry = tickets.Entry("0" * 32, alice.pk, world.sign_in(alice))
    gone.cookies = f"{tickets.cookie_name()}={tickets.make_cookie(entry, 'three')}"
    missing = gone.get("/_streamspace/view")
    assert foreign.status == missing.status == 404
    assert foreign.body == missing.body
    assert refusal(browser) == refusal(gone) == Close.GONE


def test_tossed_cookies_do_not_shadow_the_real_one(world: World, alice, bob) -> None:
    one, two = world.session(alice, "one", RFB), world.session(bob, "two", RFB)
    browser = world.browser(one, alice)
    name = tickets.cookie_name()
    tossed = world.cookie(bob, two)
    browser.cookies = f"{name}=rubbish; {tossed}; {browser.cookies}; {name}="
    assert browser.get("/").status == 302
    browser.cookies = "; ".join([f"{name}=x"] * 500)
    assert browser.get("/").status == 401


@pytest.mark.parametrize(
    "end", ["sign_out", "password", "deactivated"], ids=lambda end: end.replace("_", " ")
)
def test_the_cookie_dies_with_the_sign_in(world: World, alice, end: str) -> None:
    session = world.session(alice, "one", RFB)
    browser = world.browser(session, alice)
    if end == "sign_out":
        SessionStore(world.sign_in(alice)).delete()
    elif end == "password":
        alice.set_password("another")
        alice.save()
    else:
        alice.is_active = False
        alice.save()
    assert browser.get("/").status == 401


@pytest.mark.parametrize("path", ["/_streamspace/rfb", "/_streamspace/status", "/app"])
@pytest.mark.parametrize("origin", [None, "http://evil.example", "http://two.localhost:1", "null"])
def test_a_websocket_from_another_origin_is_refused(world: World, alice, path, origin) -> None:
    browser = world.browser(world.session(alice, "one", RFB), alice)
    with pytest.raises(InvalidStatus) as refused, browser.socket(path, origin=origin):
        pass
    assert refused.value.response.status_code == 403


def test_the_portals_pages_and_other_hosts_are_not_served(world: World, alice) -> None:
    browser = world.browser(world.session(alice, "one", RFB), alice)
    for path in ("/admin/", "/api/v1/health", "/_streamspace/other", "/accounts/login/"):
        assert browser.get(path).status == 404
    browser.host = f"one.localhost.evil.example:{world.port}"
    assert browser.get("/").status == 400


def test_our_static_files_are_served_and_only_those(world: World) -> None:
    browser = world.browser("any")
    found = browser.get("/_streamspace/static/streamspace/tokens.css")
    assert found.status == 200
    assert found.header("content-type") == "text/css; charset=utf-8"
    etag = found.header("etag")
    assert etag is not None
    again = browser.get("/_streamspace/static/streamspace/tokens.css", If_None_Match=etag)
    assert (again.status, again.body) == (304, b"")
    for path in ("admin/css/base.css", "../settings.py", "stream/../../config.py", "stream/%00"):
        assert browser.get(f"/_streamspace/static/{path}").status == 404
