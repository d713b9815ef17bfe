"""What becomes of a test: sorting into runs, no silent skips in CI, logs of what failed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from django.test import TransactionTestCase

TESTS = Path(__file__).resolve().parents[1]

ALLOWED_SKIPS: dict[str, str] = {}
"""Test id → why CI may skip it. Empty: CI has everything installed that a test can need."""

DATABASE_FIXTURES = {
    "db",
    "transactional_db",
    "django_db_reset_sequences",
    "django_db_serialized_rollback",
    "live_server",
}
REAL_PROGRAMS = {"portal", "start_portal", "browser", "people", "page"}

_FAILED = pytest.StashKey[bool]()


def failed(item: pytest.Item) -> bool:
    """Whether set-up or call of this test failed; for use in a fixture's tear-down."""
    return item.stash.get(_FAILED, False)


def uses_database(item: pytest.Item) -> bool:
    if item.get_closest_marker("django_db"):
        return True
    if DATABASE_FIXTURES & set(getattr(item, "fixturenames", ())):
        return True
    owner = getattr(item, "cls", None)
    return owner is not None and issubclass(owner, TransactionTestCase)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark tests by where they are and what they use, and keep those for this database."""
    from tests.settings import TEST_DB, TEST_DB_MISSING

    kept: list[pytest.Item] = []
    dropped: list[pytest.Item] = []
    for item in items:
        if item.path.is_relative_to(TESTS / "e2e"):
            item.add_marker("e2e")
        elif REAL_PROGRAMS & set(getattr(item, "fixturenames", ())):
            item.add_marker("integration")
        if TEST_DB == "postgres":
            keep = uses_database(item) and not item.get_closest_marker("sqlite")
        else:
            keep = not item.get_closest_marker("postgres")
        (kept if keep else dropped).append(item)
        if TEST_DB_MISSING:
            item.add_marker(pytest.mark.skip(reason=TEST_DB_MISSING))
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = kept


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if os.environ.get("CI") != "true" or report.outcome != "skipped":
        return
    if hasattr(report, "wasxfail") or report.nodeid in ALLOWED_SKIPS:
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
    report.outcome = "failed"
    report.longrepr = f"{report.nodeid}: a skip fails in CI. {reason}"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    report: pytest.TestReport = yield
    _refuse_skip(report)
    if report.failed:
        item.stash[_FAILED] = True
        running = getattr(item, "funcargs", {}).get("portal")
        if running is not None:
            report.sections.append(("Log of the portal", running.log()))
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report(collector: pytest.Collector):
    report: pytest.CollectReport = yield
    _refuse_skip(report)
    return report
