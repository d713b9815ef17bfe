"""The portal's addresses."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("accounts/", include("allauth.urls")),
    path("api/v1/", include("streamspace.api.urls")),
    path("", include("django_prometheus.urls")),
    path("", include("frontend.urls")),
]
