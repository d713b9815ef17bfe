"""How lists of people and quotas are narrowed."""

from __future__ import annotations

import django_filters
from django.db.models import Q, QuerySet

from streamspace.accounts.models import Quota, User
from streamspace.api.filters import TextFilter, YesNoFilter


class UserFilter(django_filters.FilterSet):
    """Filters of ``/users``."""

    search = TextFilter(method="by_text", help_text="Part of a name or mail address.")
    group = TextFilter(field_name="groups__name", help_text="A group's name.")
    is_active = YesNoFilter(field_name="is_active")
    is_staff = YesNoFilter(field_name="is_staff")

    class Meta:
        model = User
        fields: list[str] = []

    def by_text(self, users: QuerySet[User], _: str, text: str) -> QuerySet[User]:
        return users.filter(
            Q(username__icontains=text)
            | Q(first_name__icontains=text)
            | Q(last_name__icontains=text)
            | Q(email__icontains=text)
        )


class QuotaFilter(django_filters.FilterSet):
    """Filters of ``/quotas``."""

    kind = django_filters.ChoiceFilter(
        choices=[("default", "default"), ("group", "group"), ("user", "user")],
        method="by_kind",
        help_text="Whom it is for.",
    )
    user = TextFilter(field_name="user__username", help_text="A user name.")
    group = TextFilter(field_name="group__name", help_text="A group's name.")

    class Meta:
        model = Quota
        fields: list[str] = []

    def by_kind(self, quotas: QuerySet[Quota], _: str, kind: str) -> QuerySet[Quota]:
        return quotas.filter(user__isnull=kind != "user", group__isnull=kind != "group")
