"""``/api/v1``: each app's routes under one roof."""

from __future__ import annotations

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
