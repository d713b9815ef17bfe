"""Debian's Chromium, headless, driven by Playwright; a failed test leaves picture and trace."""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from tests.infra.programs import find

RESULTS = Path(__file__).resolve().parents[2] / "test-results"
FLAGS = (
    "--no-sandbox",  # CI is root, and Chromium refuses its sandbox there
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A running browser. Raises MissingProgram where Chromium is not installed."""
    program = find("chromium", package="chromium")
    home = tempfile.mkdtemp(prefix="ss-chromium-")  # HOME may not be writable
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=program,
                headless=True,
                args=list(FLAGS),
                env={"HOME": home, "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
            )
            try:
                yield browser
            finally:
                browser.close()
    finally:
        shutil.rmtree(home, ignore_errors=True)


@dataclass
class Person:
    """One signed-out browser profile; ``page`` opens tabs in it."""

    context: BrowserContext
    name: str
    faults: list[str] = field(default_factory=list)
    """Uncaught exceptions and violated content policies of its pages: a test fails on them."""

    def page(self) -> Page:
        return self.context.new_page()

    def watch(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.faults.append(f"{page.url}: {error}"))
        page.on("console", lambda message: self._console(page, message))

    def _console(self, page: Page, message: ConsoleMessage) -> None:
        if message.type == "error" and "Content Security Policy" in message.text:
            self.faults.append(f"{page.url}: {message.text}")


class People:
    """Makes profiles for one test, and keeps what they saw when it fails."""

    def __init__(self, browser: Browser, base_url: str | None) -> None:
        self._browser = browser
        self._base_url = base_url
        self._people: list[Person] = []

    def __call__(self, name: str = "", *, width: int = 1280, height: int = 800) -> Person:
        """A new profile: a further person, or the same one on another machine."""
        context = self._browser.new_context(
            base_url=self._base_url,
            viewport={"width": width, "height": height},
            reduced_motion="reduce",
        )
        context.set_default_timeout(15_000)
        context.tracing.start(screenshots=True, snapshots=True)
        person = Person(context, name or f"person{len(self._people) + 1}")
        context.on("page", person.watch)
        self._people.append(person)
        return person

    def faults(self) -> list[str]:
        return [fault for person in self._people for fault in person.faults]

    def close(self, *, keep_as: str = "") -> Path | None:
        """Close the profiles; ``keep_as`` names the failed test whose pictures are kept."""
        folder = None
        if keep_as and self._people:
            folder = RESULTS / re.sub(r"[^A-Za-z0-9_.-]+", "-", keep_as)
            folder.mkdir(parents=True, exist_ok=True)
        for person in self._people:
            if folder:
                for number, page in enumerate(person.context.pages, 1):
                    with contextlib.suppress(Exception):
                        page.screenshot(path=folder / f"{person.name}-{number}.png", timeout=5000)
                person.context.tracing.stop(path=folder / f"{person.name}-trace.zip")
            person.context.close()
        self._people.clear()
        return folder
