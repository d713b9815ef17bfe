"""The portal's addresses."""

from __future__ import annotations

from django.contrib import admin
from django.http import Http404
from django.urls import include, path, re_path

from streamspace.api import errors

urlpatterns = [
    path("admin/", admin.site.urls),
    # Passwords are set anew by operators: nothing here could send a link.
    re_path(r"^accounts/password/reset/", errors.page_not_found, {"exception": Http404()}),
    path("accounts/", include("allauth.urls")),
    path("api/v1/", include("streamspace.api.urls")),
    re_path(r"^api(?:/.*)?$", errors.unknown_address),
    path("", include("django_prometheus.urls")),
    path("", include("frontend.urls")),
]

# Pages for people, JSON under /api/.
handler400 = errors.bad_request
handler403 = errors.permission_denied
handler404 = errors.page_not_found
handler500 = errors.server_error
