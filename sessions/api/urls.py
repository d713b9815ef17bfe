"""Routes of sessions, their events, and the caller."""

from __future__ import annotations

from django.urls import path, re_path

from .me import MeView
from .views import EventViewSet, SessionEventViewSet, SessionShareViewSet, SessionViewSet

_NAME = r"(?P<name>[a-z0-9-]{1,52})"
_USERNAME = r"(?P<username>[\w.@+-]{1,150})"


def _session(action: str) -> str:
    return rf"^sessions/{_NAME}/{action}$"


urlpatterns = [
    path(
        "sessions",
        SessionViewSet.as_view({"get": "list", "post": "create"}, detail=False),
        name="sessions",
    ),
    re_path(
        rf"^sessions/{_NAME}$",
        SessionViewSet.as_view(
            {"get": "retrieve", "patch": "partial_update", "delete": "destroy"}, detail=True
        ),
        name="session",
    ),
    *(
        re_path(
            _session(action),
            SessionViewSet.as_view({"post": action}, detail=True),
            name=f"session-{action}",
        )
        for action in ("hibernate", "wake", "extend", "terminate")
    ),
    re_path(
        _session("shares"),
        SessionShareViewSet.as_view({"get": "list", "post": "create"}),
        name="session-shares",
    ),
    re_path(
        _session(f"shares/{_USERNAME}"),
        SessionShareViewSet.as_view({"delete": "destroy"}),
        name="session-share",
    ),
    re_path(
        _session("events"), SessionEventViewSet.as_view({"get": "list"}), name="session-events"
    ),
    path("events", EventViewSet.as_view({"get": "list"}), name="events"),
    path("users/me", MeView.as_view(), name="me"),
]
