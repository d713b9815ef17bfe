"""The names are a contract: dashboards and alerts are made of them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest

from controller import metrics
from sessions import services
from sessions.models import Session
from sessions.stream import metrics as stream_metrics
from templates_app.services import import_path
from tests.controller.conftest import run, start
from tests.controller.memory import MemoryRuntime
from tests.making import make_session, make_template, make_user
from tests.templates_app.documents import document, text

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("messages")]


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def sessions_scrape() -> str:
    registry = CollectorRegistry()
    registry.register(metrics.SessionsCollector())
    return generate_latest(registry).decode()


@pytest.fixture
def committing(django_capture_on_commit_callbacks):
    """Run what waits for the commit, as outside of a test."""
    return lambda: django_capture_on_commit_callbacks(execute=True)


def test_every_name_of_the_contract_is_on_a_scrape_after_activity(
    runtime: MemoryRuntime, tmp_path: Path, committing
) -> None:
    with committing():
        session = start(make_session(), runtime)
        services.hibernate(session.pk)
        run(session)
        services.wake(session.pk)
        start(session, runtime)
    (tmp_path / "a.yaml").write_text(text(document()))
    import_path(tmp_path)
    assert stream_metrics.__name__  # its counters are registered by the import
    scrape = sessions_scrape() + generate_latest(REGISTRY).decode()
    names = {line.split("{")[0].split(" ")[0] for line in scrape.splitlines()}
    assert names >= {
        "streamspace_sessions_total",
        "streamspace_sessions_by_user",
        "streamspace_sessions_by_template",
        "streamspace_session_reconciliations_total",
        "streamspace_session_reconciliation_duration_seconds_bucket",
        "streamspace_session_start_duration_seconds_bucket",
        "streamspace_hibernation_events_total",
        "streamspace_wake_events_total",
        "streamspace_template_validations_total",
        "streamspace_stream_connections",
        "streamspace_stream_bytes_total",
    }


def test_sessions_are_counted_by_phase_user_and_template() -> None:
    owner = make_user("jo")
    make_session(owner)
    make_session(owner, phase="Running")
    make_session(make_user("al"), phase="Failed")
    make_session(owner, phase="Terminated")
    scrape = sessions_scrape()
    for line in (
        'streamspace_sessions_total{namespace="local",state="Pending"} 1.0',
        'streamspace_sessions_total{namespace="local",state="Running"} 1.0',
        'streamspace_sessions_total{namespace="local",state="Hibernated"} 0.0',
        'streamspace_sessions_by_user{namespace="local",user="jo"} 2.0',
        'streamspace_sessions_by_template{namespace="local",template="terminal"} 3.0',
    ):
        assert line in scrape
    assert "Terminated" not in scrape


def test_the_number_of_users_with_a_series_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "TOP_USERS", 2)
    for number, sessions in enumerate((1, 2, 3, 1)):
        owner = make_user(f"u{number}")
        for _ in range(sessions):
            make_session(owner)
    lines = [n for n in sessions_scrape().splitlines() if n.startswith("streamspace_sessions_by_u")]
    assert sorted(lines) == [
        'streamspace_sessions_by_user{namespace="local",user="(others)"} 2.0',
        'streamspace_sessions_by_user{namespace="local",user="u1"} 2.0',
        'streamspace_sessions_by_user{namespace="local",user="u2"} 3.0',
    ]


def test_a_scrape_costs_the_same_few_queries_for_any_number_of_sessions(
    django_assert_num_queries,
) -> None:
    for _ in range(5):
        make_session()
    with django_assert_num_queries(4):
        sessions_scrape()


def test_a_wake_is_counted_and_neither_a_retry_nor_a_restart(
    runtime: MemoryRuntime, committing
) -> None:
    before = value("streamspace_wake_events_total")
    with committing():
        session = make_session()
        run(session)
        runtime.close(session.name, 1)
        run(session)
        services.wake(session.pk)  # a retry
        start(session, runtime)
        runtime.lose_display(session.name)
        run(session)
        start(session, runtime)
    assert value("streamspace_wake_events_total") == before
    with committing():
        services.hibernate(session.pk)
        run(session)
        services.wake(session.pk)
        start(session, runtime)
    assert value("streamspace_wake_events_total") == before + 1


def test_hibernations_are_counted_by_reason(runtime: MemoryRuntime, committing) -> None:
    before = value("streamspace_hibernation_events_total", reason="closed")
    with committing():
        session = start(make_session(), runtime)
        Session.objects.update(running_since=timezone.now() - timedelta(hours=1))
        runtime.close(session.name)
        run(session)
        run(session)
    assert value("streamspace_hibernation_events_total", reason="closed") == before + 1


def test_nothing_is_counted_for_a_reconcile_that_was_rolled_back(
    runtime: MemoryRuntime, committing, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = make_session()
    run(session)
    runtime.answer(session.name)
    sample = "streamspace_session_start_duration_seconds_count"
    before = value(sample, template="terminal")

    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("controller.reconcile._follow_up", fail)
    with pytest.raises(KeyboardInterrupt), committing():
        run(session)
    assert value(sample, template="terminal") == before


def test_reconciles_are_counted_by_result(runtime: MemoryRuntime) -> None:
    before = value("streamspace_session_reconciliations_total", result="fault")
    runtime.faults = [OSError("away")]
    run(make_session())
    assert value("streamspace_session_reconciliations_total", result="fault") == before + 1


def test_documents_are_counted_by_result(tmp_path: Path) -> None:
    name = "streamspace_template_validations_total"
    before = value(name, result="valid"), value(name, result="invalid")
    (tmp_path / "a.yaml").write_text(text(document(), document("b", appType="x")))
    import_path(tmp_path)
    assert (value(name, result="valid"), value(name, result="invalid")) == (
        before[0] + 1,
        before[1] + 1,
    )


def test_registering_twice_is_once() -> None:
    make_template()
    metrics.register()
    metrics.register()
    assert value("streamspace_sessions_starting", namespace="local") == 0
