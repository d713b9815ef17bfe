"""Routes of the catalogue."""

from __future__ import annotations

from django.urls import path, re_path

from .views import RevisionViewSet, TemplateViewSet

_TEMPLATE = r"^templates/(?P<name>[a-zA-Z0-9_-]{1,63})"

urlpatterns = [
    path("templates", TemplateViewSet.as_view({"get": "list"}), name="templates"),
    re_path(
        rf"{_TEMPLATE}$",
        TemplateViewSet.as_view({"get": "retrieve", "patch": "partial_update"}),
        name="template",
    ),
    re_path(
        rf"{_TEMPLATE}/favourite$",
        TemplateViewSet.as_view({"put": "add_favourite", "delete": "remove_favourite"}),
        name="template-favourite",
    ),
    re_path(
        rf"{_TEMPLATE}/revisions$",
        RevisionViewSet.as_view({"get": "list"}),
        name="template-revisions",
    ),
]
