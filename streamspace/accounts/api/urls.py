"""Routes of people, groups, quotas and tokens."""

from __future__ import annotations

from typing import Any

from django.urls import path, re_path

from .views import GroupViewSet, QuotaViewSet, TokenViewSet, UserViewSet

# Numbers that no key can be are no addresses either.
_KEY = r"(?P<pk>[0-9]{1,18})"
_CHANGE: dict[str, Any] = {"get": "retrieve", "patch": "partial_update", "delete": "destroy"}

urlpatterns = [
    path("users", UserViewSet.as_view({"get": "list", "post": "create"}), name="users"),
    re_path(
        r"^users/(?P<username>[\w.@+-]{1,150})$",
        UserViewSet.as_view({"get": "retrieve", "patch": "partial_update"}),
        name="user",
    ),
    path("groups", GroupViewSet.as_view({"get": "list", "post": "create"}), name="groups"),
    re_path(rf"^groups/{_KEY}$", GroupViewSet.as_view(_CHANGE), name="group"),
    path("quotas", QuotaViewSet.as_view({"get": "list", "post": "create"}), name="quotas"),
    re_path(rf"^quotas/{_KEY}$", QuotaViewSet.as_view(_CHANGE), name="quota"),
    path("tokens", TokenViewSet.as_view({"get": "list", "post": "create"}), name="tokens"),
    re_path(
        r"^tokens/(?P<token_key>[0-9A-Za-z]{1,128})$",
        TokenViewSet.as_view({"delete": "destroy"}),
        name="token",
    ),
]
