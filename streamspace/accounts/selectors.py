"""Reads of people, groups, quotas and tokens: ownership filters and query counts live here."""

from __future__ import annotations

from django.contrib.auth.models import Group
from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from .models import ApiToken, Quota, User


def all_users() -> QuerySet[User]:
    """Everybody, with their groups: two queries. For staff."""
    return User.objects.prefetch_related("groups").order_by("username")


def all_groups() -> QuerySet[Group]:
    """Every group with its number of ``members``. For staff."""
    return Group.objects.annotate(members=Count("user")).order_by("name")


def all_quotas() -> QuerySet[Quota]:
    """Every quota with whom it is for. For staff."""
    return Quota.objects.select_related("user", "group").order_by("pk")


def tokens_of(user: User) -> QuerySet[ApiToken]:
    """The user's tokens that still work, newest first."""
    valid = Q(expiry__isnull=True) | Q(expiry__gt=timezone.now())
    return ApiToken.objects.filter(valid, user=user).order_by("-created", "token_key")
