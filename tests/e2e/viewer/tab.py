"""What a person does in a session's tab."""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.infra.portal import Portal
from tests.infra.programs import wait_until

_numbers = itertools.count(1)


def sign_in_and_enter(
    page: Page, portal: Portal, name: str, user: str = "admin", password: str = ""
) -> None:
    """Go to the session's entry, sign in on the way, and wait until its tab shows the session."""
    page.goto(f"{portal.url}/sessions/{name}/enter")
    page.get_by_label("User name or email").fill(user)
    page.get_by_label("Password").fill(password or portal.admin_password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(re.compile(r"/_streamspace/view"))
    shown(page)


def shown(page: Page) -> None:
    """The picture may be seen: nothing stands in its place."""
    expect(page.locator('html[data-ready="yes"]')).to_be_attached()
    expect(page.locator('body[data-scene=""]')).to_be_attached(timeout=20_000)


@dataclass
class Desk:
    """A terminal session in a tab; ``home`` is where its shell starts."""

    page: Page
    name: str
    home: Path
    tag: str = field(default_factory=lambda: f"desk{next(_numbers)}")

    def type(self, line: str) -> None:
        self.page.keyboard.type(f"{line}\n", delay=2)

    def run(self, command: str) -> str:
        """Type a command; what it printed, read from a file that the shell wrote."""
        out = self.home / f"{self.tag}-{next(_numbers)}"
        self.type(f"{command} > {out.name}.new; mv {out.name}.new {out.name}")
        wait_until(out.exists, timeout=15, what=f"the shell to do {command!r}")
        return out.read_text().strip()

    def wait_for_shell(self) -> None:
        """The first keys may come before the window has the keyboard."""
        out = self.home / f"{self.tag}-ready"

        def ready() -> bool:
            self.page.keyboard.press("Control+C")
            self.type(f"touch {out.name}")
            self.page.wait_for_timeout(200)
            return out.exists()

        wait_until(ready, timeout=20, what="the terminal to take keys", every=0.2)

    @contextlib.contextmanager
    def catching(self, file: str, text: str) -> Iterator[None]:
        """What is pasted meanwhile goes into a file, and must be ``text``."""
        self.type(f"cat > {file}")
        yield

        def caught() -> bool:
            # Programs fetch what they paste from the display when it suits them, keys overtake it.
            self.page.keyboard.press("Enter")
            path = self.home / file
            return path.exists() and path.read_text().strip() == text

        wait_until(caught, timeout=10, what=f"{text!r} to be pasted", every=0.2)
        self.page.keyboard.press("Control+D")

    def menu(self) -> None:
        self.page.get_by_role("button", name="Session menu").click()
        expect(self.page.get_by_role("complementary", name="Session menu")).to_be_visible()
