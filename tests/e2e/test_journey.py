"""The main job, whole: sign in, launch, work in the tab, hibernate, wake, terminate."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.client import Client, add_template, add_user
from tests.e2e.pages import application, card, ink, open_session, picture, sign_in
from tests.infra.portal import Portal
from tests.infra.programs import wait_until

pytestmark = pytest.mark.e2e


def type_in(viewer: Page, text: str) -> None:
    viewer.locator("#screen canvas").click(position={"x": 300, "y": 300})
    viewer.keyboard.type(text, delay=5)


def test_a_person_works_in_a_desktop_and_finds_their_files_after_waking(
    portal: Portal, page: Page
) -> None:
    client = Client(portal)
    sign_in(page, portal)

    application(page, "Terminal").get_by_role("button", name="Launch").click()
    wait_until(
        lambda: bool(client.call("GET", "/sessions").json()["results"]),
        timeout=20,
        what="the launch",
    )
    name = client.call("GET", "/sessions").json()["results"][0]["name"]
    expect(card(page, name).get_by_text("Running", exact=True)).to_be_visible(timeout=20_000)

    viewer = open_session(page, name)
    wait_until(lambda: ink(viewer) > 2, timeout=20, what="the terminal's picture")
    before = picture(viewer)
    type_in(viewer, "echo kept > note.txt\n")
    wait_until(lambda: picture(viewer) != before, timeout=20, what="the typed text in the picture")
    note = portal.data_dir / "homes" / "home-admin" / "note.txt"
    wait_until(lambda: note.exists() and note.read_text() == "kept\n", timeout=20, what="the file")

    card(page, name).get_by_role("button", name="Hibernate").click()
    expect(card(page, name).get_by_text("Hibernated", exact=True)).to_be_visible(timeout=20_000)
    expect(viewer.get_by_role("button", name="Wake")).to_be_visible(timeout=10_000)
    assert client.session(name)["phase"] == "Hibernated"

    viewer.get_by_role("button", name="Wake").click()
    expect(card(page, name).get_by_text("Running", exact=True)).to_be_visible(timeout=20_000)
    expect(viewer.locator("#overlay")).to_be_hidden(timeout=20_000)
    wait_until(lambda: ink(viewer) > 2, timeout=20, what="the picture after waking")
    type_in(viewer, "cp note.txt copy.txt\n")
    copy = note.with_name("copy.txt")
    wait_until(copy.exists, timeout=20, what="the copied file")

    page.bring_to_front()
    card(page, name).locator("summary").last.click()
    card(page, name).get_by_role("button", name="Terminate").click()
    page.get_by_role("dialog").get_by_role("button", name="Terminate").click()
    expect(card(page, name)).to_have_count(0, timeout=20_000)
    expect(
        viewer.get_by_role("link", name=re.compile("portal", re.IGNORECASE)).first
    ).to_be_visible()
    client.wait_for(name, "Terminated")
    assert note.read_text() == "kept\n"

    another = client.launch_running("terminal")
    home = portal.data_dir / "homes" / "home-admin"
    assert (home / "note.txt").read_text() == "kept\n"
    client.act(another["name"], "terminate")


def test_a_wrong_password_gets_one_clear_sentence(page: Page) -> None:
    page.goto("/")
    page.get_by_label("User name or email").fill("admin")
    page.get_by_label("Password").fill("not-the-password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("not correct")


def test_registration_is_closed(portal: Portal) -> None:
    answer = portal.request("/accounts/signup/", headers={"Accept": "text/html"})
    assert b"password1" not in answer.body


def test_the_address_of_a_session_leads_a_stranger_to_the_sign_in(
    portal: Portal, page: Page
) -> None:
    client = Client(portal)
    session = client.launch_running("terminal")
    page.goto(f"http://{session['name']}.localhost:{portal.port}/")
    expect(page.get_by_label("Password")).to_be_visible()
    page.get_by_label("User name or email").fill("admin")
    page.get_by_label("Password").fill(portal.admin_password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(re.compile(r"\.localhost:\d+/_streamspace/view"))
    wait_until(lambda: ink(page) > 2, timeout=20, what="the picture")
    client.act(session["name"], "terminate")


def test_a_web_application_is_used_in_the_tab(portal: Portal, page: Page) -> None:
    client = Client(portal)
    if not client.call("GET", "/templates/jupyter-lab").json()["launchable"]:
        pytest.skip("Jupyter Lab is not installed; `make apps APPS=jupyter` does it")
    name = client.launch("jupyter-lab")["name"]
    client.wait_for(name, "Running", timeout=60)
    sign_in(page, portal)
    viewer = open_session(page, name)
    lab = viewer.frame_locator("iframe")
    expect(lab.get_by_text("Launcher").first).to_be_visible(timeout=60_000)
    client.act(name, "terminate")


def test_a_launch_over_quota_says_so_beside_the_catalogue(portal: Portal, page: Page) -> None:
    password = add_user(portal, "modest")
    portal.manage(
        "shell",
        "-c",
        "from streamspace.accounts.models import Quota, User; "
        "Quota.objects.create(user=User.objects.get(username='modest'), max_running=0)",
    )
    sign_in(page, portal, "modest", password)
    application(page, "Terminal").get_by_role("button", name="Launch").click()
    expect(page.get_by_role("alert")).to_contain_text("Your quota for running sessions is 0")
    page.wait_for_timeout(500)  # it was shown, and taken away again at once
    expect(page.get_by_role("alert")).to_be_visible()


def test_what_is_not_installed_says_how_to_install_it(portal: Portal, page: Page) -> None:
    add_template(
        portal,
        "ghost",
        displayName="Ghost",
        local={
            "command": ["no-such-program"],
            "install": "Install it with `sudo apt install ghost`.",
        },
    )
    client = Client(portal)
    wait_until(
        lambda: bool(client.call("GET", "/templates/ghost").json()["availability"]["reason"]),
        timeout=45,
        what="the controller to look at the new template",
    )
    sign_in(page, portal)
    expect(page.get_by_text("sudo apt install ghost")).to_be_visible()
    answer = client.call("POST", "/sessions", {"template": "ghost"})
    assert (answer.status, answer.json()["error"]) == (409, "template_unavailable")
    assert "sudo apt install ghost" in answer.json()["message"]
