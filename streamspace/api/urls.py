"""``/api/v1``: each app's routes under one roof."""

from __future__ import annotations

from django.urls import include, path, re_path

from .errors import unknown_address
from .system import DocsView, HealthView, SchemaView, VersionView

app_name = "api"

urlpatterns = [
    path("", include("sessions.api.urls")),
    path("", include("templates_app.api.urls")),
    path("", include("streamspace.accounts.api.urls")),
    path("health", HealthView.as_view(), name="health"),
    path("version", VersionView.as_view(), name="version"),
    path("schema", SchemaView.as_view(), name="schema"),
    path("docs", DocsView.as_view(), name="docs"),
    re_path(r"^.*$", unknown_address),
]
