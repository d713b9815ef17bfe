"""Prometheus metrics of sessions and reconciles. The names are a contract (docs/reference)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db.models import Count, QuerySet
from django.utils import timezone
from prometheus_client import REGISTRY, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from sessions.choices import DesiredState, EventKind, Phase
from sessions.models import Session

NAMESPACE = "local"
"""Value of the ``namespace`` label where there is no cluster."""

TOP_USERS = 20
"""Users with a series of their own; the rest is summed, so that the label stays bounded."""

RECONCILIATIONS = Counter(
    "streamspace_session_reconciliations", "Reconciles by how they ended.", ["result"]
)
RECONCILE_SECONDS = Histogram(
    "streamspace_session_reconciliation_duration_seconds",
    "Time of one reconcile.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
START_SECONDS = Histogram(
    "streamspace_session_start_duration_seconds",
    "From launch, wake or retry to Running.",
    ["template"],
    buckets=(0.25, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600),
)
HIBERNATIONS = Counter("streamspace_hibernation_events", "Sessions hibernated.", ["reason"])
WAKES = Counter("streamspace_wake_events", "Sessions that ran again after hibernation.")


@contextmanager
def reconciling() -> Iterator[Callable[[str], None]]:
    """Time a block; call what is yielded with its result."""
    started = time.perf_counter()

    def finished(result: str) -> None:
        RECONCILIATIONS.labels(result).inc()

    try:
        yield finished
    finally:
        RECONCILE_SECONDS.observe(time.perf_counter() - started)


_STARTS = (EventKind.LAUNCHED, EventKind.WAKE_REQUESTED, EventKind.RETRIED, EventKind.RESTARTED)


def transition(session: Session) -> None:
    """Count a change to the session's phase."""
    if session.phase == Phase.RUNNING:
        waited = (timezone.now() - session.start_requested_at).total_seconds()
        START_SECONDS.labels(session.revision.template_name).observe(max(0.0, waited))
        starts = session.events.filter(kind__in=_STARTS).order_by("-at", "-id")
        if starts.values_list("kind", flat=True).first() == EventKind.WAKE_REQUESTED:
            WAKES.inc()
    elif session.phase == Phase.HIBERNATED:
        HIBERNATIONS.labels(session.stop_reason or "user").inc()


class SessionsCollector(Collector):
    """Gauges over the records, from four queries at each scrape."""

    def describe(self) -> list[GaugeMetricFamily]:
        """Known names, so that registering does not query the database."""
        return list(self._families().values())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        families = self._families()
        live = Session.objects.exclude(phase=Phase.TERMINATED).order_by()
        # Zeros too: a series that comes and goes cannot be alerted on.
        phases = {phase.value: 0 for phase in Phase if phase != Phase.TERMINATED}
        for phase, count in (phases | dict(_counted(live, "phase"))).items():
            families["total"].add_metric([phase, NAMESPACE], count)
        rest = 0
        for place, (user, count) in enumerate(_counted(live, "owner__username")):
            if place < TOP_USERS:
                families["user"].add_metric([user, NAMESPACE], count)
            else:
                rest += count
        if rest:
            families["user"].add_metric(["(others)", NAMESPACE], rest)
        for template, count in _counted(live, "revision__template_name"):
            families["template"].add_metric([template, NAMESPACE], count)
        running = live.filter(desired_state=DesiredState.RUNNING)
        waiting = running.exclude(phase__in=(Phase.RUNNING, Phase.FAILED)).count()
        families["starting"].add_metric([NAMESPACE], waiting)
        yield from families.values()

    @staticmethod
    def _families() -> dict[str, GaugeMetricFamily]:
        return {
            "total": GaugeMetricFamily(
                "streamspace_sessions_total",
                "Sessions that are not over, by phase.",
                labels=["state", "namespace"],
            ),
            "user": GaugeMetricFamily(
                "streamspace_sessions_by_user",
                f"Sessions of the {TOP_USERS} users with most; the rest summed.",
                labels=["user", "namespace"],
            ),
            "template": GaugeMetricFamily(
                "streamspace_sessions_by_template",
                "Sessions by template.",
                labels=["template", "namespace"],
            ),
            "starting": GaugeMetricFamily(
                "streamspace_sessions_starting",
                "Sessions asked to run that do not run yet.",
                labels=["namespace"],
            ),
        }


def _counted(sessions: QuerySet[Session], field: str) -> Iterator[tuple[str, int]]:
    """(value of ``field``, number of sessions), most first."""
    yield from sessions.values_list(field).annotate(n=Count("id")).order_by("-n", field).iterator()


def register() -> None:
    """Register the collector once per process that serves it."""
    if not getattr(register, "done", False):
        REGISTRY.register(SessionsCollector())
        register.done = True  # type: ignore[attr-defined]
