"""The viewer of a desktop, on a real display behind the real portal."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Browser, Page, expect

from tests.e2e.client import Client, add_user
from tests.e2e.viewer.tab import Desk, shown, sign_in_and_enter
from tests.infra.browser import People
from tests.infra.portal import Portal
from tests.infra.programs import wait_until


def test_the_desktop_has_the_window_s_size_and_follows_it(desk: Desk) -> None:
    size = "xdotool getdisplaygeometry"
    assert desk.run(size) == "1280 800"
    desk.page.set_viewport_size({"width": 1000, "height": 650})
    wait_until(lambda: desk.run(size) == "1000 650", timeout=10, what="the display to follow")


def test_text_travels_both_ways_by_the_usual_keys(desk: Desk) -> None:
    desk.page.evaluate("navigator.clipboard.writeText('grüße from outside')")
    with desk.catching("pasted", "grüße from outside"):
        desk.page.keyboard.press("Shift+Insert")

    desk.type("clear; echo kumquat")
    desk.page.wait_for_timeout(400)
    desk.page.mouse.dblclick(30, 17)  # a word that is selected is copied
    wait_until(
        lambda: desk.page.evaluate("navigator.clipboard.readText()").strip() == "kumquat",
        timeout=10,
        what="the copied word",
    )
    expect(desk.page.locator("#clipboard-in")).to_have_value(re.compile("kumquat"))


def test_the_menu_sends_text_and_refuses_what_is_too_long(desk: Desk) -> None:
    desk.menu()
    field = desk.page.get_by_label("Text for the session")
    field.evaluate("(field) => { field.value = 'x'.repeat(1100 * 1024); }")
    desk.page.get_by_role("button", name="Send to session").click()
    expect(desk.page.get_by_text("Nothing was sent")).to_be_visible()

    field.fill("by the menu")
    desk.page.get_by_role("button", name="Send to session").click()
    expect(desk.page.get_by_text("Paste it in the session")).to_be_visible()
    desk.page.keyboard.press("Escape")
    with desk.catching("menu.txt", "by the menu"):
        desk.page.mouse.click(400, 300, button="middle")


def test_the_menu_opens_by_keyboard_and_gives_the_keys_back(
    desk: Desk, accessible: Callable[[Page], None]
) -> None:
    accessible(desk.page)
    keyboard = desk.page.keyboard
    for key in ("Control", "Alt", "Shift"):
        keyboard.down(key)
    for key in ("Shift", "Alt", "Control"):
        keyboard.up(key)
    menu = desk.page.get_by_role("complementary", name="Session menu")
    expect(menu).to_be_visible()
    accessible(desk.page)
    keyboard.press("Escape")
    expect(menu).to_be_hidden()
    assert desk.run("echo typed after the menu") == "typed after the menu"


def test_a_sticky_key_holds_for_one_key(desk: Desk) -> None:
    desk.type("sleep 60")
    desk.menu()
    control = desk.page.locator("#keys [data-key=ControlLeft]")
    control.click()
    expect(control).to_have_attribute("aria-pressed", "true")
    desk.page.keyboard.press("Escape")
    desk.page.keyboard.press("c")
    expect(control).to_have_attribute("aria-pressed", "false")
    assert desk.run("echo interrupted") == "interrupted"


def test_a_hibernated_desktop_does_not_look_alive_and_wakes_in_place(
    desk: Desk, gone: Callable[[Page, str], None], accessible: Callable[[Page], None]
) -> None:
    desk.menu()
    desk.page.get_by_role("button", name="Hibernate", exact=True).click()
    desk.page.get_by_role("button", name="Hibernate now").click()
    gone(desk.page, "Hibernated – your files are kept")
    expect(desk.page).to_have_title(re.compile("^Hibernated"))
    accessible(desk.page)

    desk.page.get_by_role("button", name="Wake").click()
    shown(desk.page)
    desk.wait_for_shell()


def test_the_picture_comes_back_after_the_server_was_away(portal: Portal, desk: Desk) -> None:
    portal.kill()
    expect(desk.page.get_by_role("heading", name="The connection was lost")).to_be_visible()
    expect(desk.page.locator("#still")).to_be_visible()
    expect(desk.page.get_by_role("button", name="Try now")).to_be_visible()
    portal.resume()
    shown(desk.page)
    expect(desk.page.locator("#still")).to_be_hidden()
    assert desk.run("echo still here") == "still here"


def test_who_may_only_watch_sends_nothing_and_is_told_when_it_ends(
    portal: Portal, client: Client, desk: Desk, people: People, gone: Callable[[Page, str], None]
) -> None:
    password = add_user(portal, "watcher")
    shares = f"/sessions/{desk.name}/shares"
    answer = client.call("POST", shares, {"user": "watcher", "role": "view"})
    assert answer.status == 201, answer.body
    page = people("watcher").page()
    sign_in_and_enter(page, portal, desk.name, "watcher", password)
    expect(page.locator("#view-only")).to_be_visible()
    page.mouse.click(400, 300)
    page.keyboard.type("touch by-the-watcher\n", delay=2)
    assert desk.run("ls by-the-watcher 2>&1 | wc -w") != "1"

    assert client.call("POST", shares, {"user": "watcher", "role": "control"}).status < 300
    expect(page.locator("#view-only")).to_have_count(0)
    expect(page.locator('body[data-role="control"]')).to_be_attached()

    assert client.call("DELETE", f"{shares}/watcher").status == 204
    gone(page, "no longer have access")


def test_signing_out_of_the_portal_takes_the_picture_away(portal: Portal, desk: Desk) -> None:
    other = desk.page.context.new_page()
    other.goto(f"{portal.url}/accounts/logout/")
    other.get_by_role("button", name=re.compile("sign out", re.IGNORECASE)).last.click()
    expect(desk.page.get_by_role("heading", name="You have been signed out")).to_be_visible()
    expect(desk.page.get_by_role("link", name="Sign in again")).to_be_visible()


def test_the_end_is_announced_and_extending_puts_it_off(
    portal: Portal, client: Client, people: People, accessible: Callable[[Page], None]
) -> None:
    name = client.launch_running("terminal", idle_timeout="60s")["name"]
    page = people("owner").page()
    sign_in_and_enter(page, portal, name)
    page.mouse.click(500, 400)  # input is believed for a while, but not for all of a short clock
    expect(page.get_by_text("Hibernates in")).to_be_visible(timeout=45_000)
    expect(page).to_have_title(re.compile(r"^\(\d:\d\d\) Hibernates soon"))
    accessible(page)
    expect(page.locator("#idle-left")).to_have_text(re.compile("^0:"))
    page.get_by_role("button", name="Keep it running").click()
    expect(page.get_by_text("Hibernates in")).to_be_hidden()
    client.act(name, "terminate")
    expect(page.get_by_role("heading", name="This session has ended")).to_be_visible()


def test_a_phone_has_a_keyboard_and_a_desktop_that_is_wide_enough(
    portal: Portal, terminal: str, browser: Browser
) -> None:
    context = browser.new_context(
        viewport={"width": 390, "height": 844},
        device_scale_factor=3,
        has_touch=True,
        is_mobile=True,
    )
    try:
        page = context.new_page()
        sign_in_and_enter(page, portal, terminal)
        wait_until(
            lambda: page.evaluate("document.querySelector('#screen canvas').width") == 640,
            timeout=10,
            what="640 pixels on a small screen",
        )
        page.get_by_role("button", name="Session menu").tap()
        page.get_by_role("button", name="Keyboard").tap()
        expect(page.get_by_role("group", name="Keys")).to_be_visible()
        page.touchscreen.tap(200, 300)
        written = portal.data_dir / "homes" / "home-admin" / "by-phone"

        def typed() -> bool:
            page.keyboard.type(f"touch {written.name}\n", delay=2)
            page.wait_for_timeout(300)
            return written.exists()

        wait_until(typed, timeout=15, what="what the phone typed", every=0.2)
    finally:
        context.close()
