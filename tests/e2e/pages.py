"""What a person does in the browser, by the words that they see."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

from tests.infra.portal import Portal


def sign_in(page: Page, portal: Portal, user: str = "admin", password: str = "") -> None:
    page.goto("/")
    page.get_by_label("User name or email").fill(user)
    page.get_by_label("Password").fill(password or portal.admin_password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Applications")).to_be_visible()


def application(page: Page, title: str) -> Locator:
    """A template in the catalogue."""
    heading = page.get_by_role("heading", name=title, exact=True)
    return (
        page.locator("#catalogue, main")
        .get_by_role("article")
        .filter(has=heading)
        .filter(has=page.get_by_role("button", name="Launch"))
    )


def card(page: Page, name: str) -> Locator:
    """A session's card, by the session's name."""
    return page.locator(f"#session-{name}")


def open_session(page: Page, name: str) -> Page:
    """Press Open on the card; the viewer's tab, with its picture drawn."""
    with page.context.expect_page() as opened:
        card(page, name).get_by_role("link", name="Open").click()
    viewer = opened.value
    viewer.wait_for_url(re.compile(r"/_streamspace/view"))
    return viewer


def ink(viewer: Page) -> int:
    """How many different colours the picture's pixels have; a blank one has one."""
    return int(
        viewer.evaluate(
            """() => {
              const canvas = document.querySelector("#screen canvas");
              if (!canvas || !canvas.width) return 0;
              const { width, height } = canvas;
              const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
              const seen = new Set();
              for (let i = 0; i < data.length; i += 4)
                seen.add((data[i] << 16) | (data[i + 1] << 8) | data[i + 2]);
              return seen.size;
            }"""
        )
    )


def picture(viewer: Page) -> str:
    """A digest of the framebuffer as the browser shows it."""
    return str(
        viewer.evaluate(
            """async () => {
              const canvas = document.querySelector("#screen canvas");
              const { width, height } = canvas;
              const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
              const hash = await crypto.subtle.digest("SHA-256", data);
              return String(new Uint32Array(hash));
            }"""
        )
    )
