"""A desktop session of the real portal, and ways into its tab."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.client import Client
from tests.e2e.viewer.tab import Desk, sign_in_and_enter
from tests.infra.browser import People
from tests.infra.portal import Portal

AXE = Path(__file__).resolve().parents[3] / "node_modules" / "axe-core" / "axe.min.js"


@pytest.fixture(scope="module")
def client(portal: Portal) -> Client:
    return Client(portal)


@pytest.fixture(scope="module")
def terminal(client: Client) -> str:
    """A running terminal; tests leave it running, with an idle shell."""
    name: str = client.launch_running("terminal")["name"]
    return name


@pytest.fixture
def desk(portal: Portal, terminal: str, people: People) -> Desk:
    """The terminal, open in a tab of its owner, its picture there."""
    person = people("owner")
    person.context.grant_permissions(
        ["clipboard-read", "clipboard-write"], origin=f"http://{terminal}.localhost:{portal.port}"
    )
    page = person.page()
    sign_in_and_enter(page, portal, terminal)
    desk = Desk(page, terminal, portal.data_dir / "homes" / "home-admin")
    desk.wait_for_shell()
    return desk


@pytest.fixture
def accessible() -> Callable[[Page], None]:
    """Fails with what axe finds on the page as it is now."""

    def check(page: Page) -> None:
        page.evaluate(AXE.read_text(encoding="utf-8"))
        found = page.evaluate(
            """async () => (await axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a",
                 "wcag21aa", "wcag22aa", "best-practice"] })).violations.map(
                 (v) => `${v.id}: ${v.nodes.map((n) => n.target.join(" ")).join(", ")}`)"""
        )
        assert found == []

    return check


@pytest.fixture
def gone() -> Callable[[Page, str], None]:
    """The picture is replaced by a heading; nothing of it is left in the page."""

    def check(page: Page, heading: str) -> None:
        expect(page.get_by_role("heading", name=re.compile(heading))).to_be_visible(timeout=15_000)
        assert page.locator("#screen canvas").count() == 0
        expect(page.locator("#still")).to_be_hidden()

    return check
