"""What the all-in-one process costs while nobody does anything."""

from __future__ import annotations

import time

import psutil

from tests.bench.table import Row
from tests.e2e.client import Client
from tests.infra.portal import Portal

SETTLE = 10.0
WATCH = 30.0
"""Seconds."""


def run() -> list[Row]:
    """Start it, sign in once by API so that everything is loaded, then leave it alone."""
    portal = Portal.start()
    try:
        client = Client(portal)
        client.launch_running("terminal")
        client.terminate_all()
        time.sleep(SETTLE)
        assert portal.process is not None
        root = psutil.Process(portal.process.pid)
        tree = [root, *root.children(recursive=True)]
        before, since = _seconds(tree), time.monotonic()
        time.sleep(WATCH)
        share = 100 * (_seconds(tree) - before) / (time.monotonic() - since)
        memory = sum(process.memory_info().rss for process in tree) / 2**20
    finally:
        portal.close()
    return [
        Row("all-in-one idle, memory", memory, "MB", "< 350", memory < 350, "RSS of the tree"),
        Row(
            "all-in-one idle, processor",
            share,
            "% of a core",
            "< 2",
            share < 2,
            f"over {WATCH:g} s",
        ),
    ]


def _seconds(tree: list[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in tree)
