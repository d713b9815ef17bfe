"""How lists of sessions and events are narrowed."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import Q, QuerySet

from sessions.choices import DesiredState, EventKind, Phase
from sessions.lifecycle import DisplayState, display_state
from sessions.models import Session, SessionEvent
from sessions.selectors import live
from streamspace.api.filters import TextFilter, YesNoFilter


def in_state(state: str) -> Q:
    """The pairs of wish and phase that people read as ``state``."""
    found = Q(pk__in=[])
    for desired in DesiredState.values:
        for phase in Phase.values:
            if display_state(desired, phase) == state:
                found |= Q(desired_state=desired, phase=phase)
    return found


class SessionFilter(django_filters.FilterSet):
    """Filters of ``/sessions``. ``everyone`` is read by the view, which picks the rows."""

    state = django_filters.ChoiceFilter(
        choices=DisplayState.choices, method="by_state", help_text="What people read on a card."
    )
    phase = django_filters.ChoiceFilter(choices=Phase.choices)
    template = TextFilter(field_name="revision__template_name", help_text="A template's name.")
    owner = TextFilter(field_name="owner__username", help_text="A user name; with `everyone`.")
    search = TextFilter(method="by_text", help_text="Part of a name, or of the template's.")
    include_terminated = YesNoFilter(
        method="nothing", help_text="Also those that are over; without it they are left out."
    )
    everyone = YesNoFilter(method="nothing", help_text="Everybody's sessions. For staff.")

    class Meta:
        model = Session
        fields: list[str] = []

    def by_state(self, sessions: QuerySet[Session], _: str, state: str) -> QuerySet[Session]:
        return sessions.filter(in_state(state))

    def by_text(self, sessions: QuerySet[Session], _: str, text: str) -> QuerySet[Session]:
        return sessions.filter(
            Q(name__icontains=text)
            | Q(display_name__icontains=text)
            | Q(template__display_name__icontains=text)
        )

    def nothing(self, sessions: QuerySet[Session], _: str, __: Any) -> QuerySet[Session]:
        return sessions

    def filter_queryset(self, queryset: QuerySet[Session]) -> QuerySet[Session]:
        asked = self.form.cleaned_data
        sessions: QuerySet[Session] = super().filter_queryset(queryset)
        wanted = (
            asked["include_terminated"] is True
            or asked["state"] == DisplayState.TERMINATED
            or asked["phase"] == Phase.TERMINATED
        )
        return sessions if wanted else live(sessions)


class EventsOfSessionFilter(django_filters.FilterSet):
    """Filters of one session's events."""

    kind = django_filters.ChoiceFilter(choices=EventKind.choices)

    class Meta:
        model = SessionEvent
        fields: list[str] = []


class EventFilter(EventsOfSessionFilter):
    """Filters of ``/events``."""

    session = TextFilter(field_name="session__name", help_text="A session's name.")


def asks_for_everyone(parameters: Any) -> bool:
    """Whether a list request names ``everyone=true``; other values are the filter's to refuse."""
    return bool(parameters.get("everyone") == "true")
