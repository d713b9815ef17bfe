"""From pressing Launch to the first frame of the session in the browser."""

from __future__ import annotations

import statistics
import time

from playwright.sync_api import Page

from tests.bench.table import Row
from tests.e2e.client import Client
from tests.e2e.pages import application, ink, sign_in
from tests.infra.browser import People, chromium
from tests.infra.portal import Portal

RUNS = 7
TARGET = 2.0
"""Seconds, for the median."""


def run() -> list[Row]:
    """Launch "Terminal" as a person who opens it at once; one session at a time."""
    portal = Portal.start()
    try:
        with chromium() as browser:
            page = People(browser, portal.url)("bench").page()
            client = Client(portal)
            sign_in(page, portal)
            once(page, client)  # fills the browser's cache, as a person's second launch finds it
            times = sorted(once(page, client) for _ in range(RUNS))
    finally:
        portal.close()
    median = statistics.median(times)
    return [
        Row(
            "launch to first frame, Terminal",
            median,
            "s",
            f"< {TARGET:g}",
            median < TARGET,
            f"median of {RUNS}, slowest {times[-1]:.2f}",
        )
    ]


def once(page: Page, client: Client) -> float:
    """Seconds of one launch; the session is terminated afterwards."""
    page.goto("/")
    button = application(page, "Terminal").get_by_role("button", name="Launch")
    button.wait_for()
    started = time.perf_counter()
    button.click()
    page.wait_for_selector("article.session.is-new")
    name = client.sessions()[0]["name"]
    # The page waits until the session runs and then goes on by itself.
    page.goto(f"/sessions/{name}/enter")
    page.wait_for_url("**/_streamspace/view")
    while ink(page) < 3:
        page.wait_for_timeout(10)
    elapsed = time.perf_counter() - started
    client.terminate_all()
    return elapsed
