"""How the catalogue is narrowed."""

from __future__ import annotations

import django_filters
from django.db.models import Q, QuerySet

from streamspace.api.filters import TextFilter, YesNoFilter
from templates_app.models import Template


class TemplateFilter(django_filters.FilterSet):
    """Filters of ``/templates``."""

    search = TextFilter(method="by_text", help_text="Part of a name, description or tag.")
    category = TextFilter(field_name="category", lookup_expr="iexact", max_length=60)
    launchable = YesNoFilter(method="by_launchable", help_text="Whether it can be launched now.")
    favourite = YesNoFilter(field_name="favourite", help_text="The caller's favourites.")

    class Meta:
        model = Template
        fields: list[str] = []

    def by_text(self, templates: QuerySet[Template], _: str, text: str) -> QuerySet[Template]:
        return templates.filter(
            Q(name__icontains=text)
            | Q(display_name__icontains=text)
            | Q(description__icontains=text)
            | Q(tags__icontains=text)
        )

    def by_launchable(
        self, templates: QuerySet[Template], _: str, wanted: bool
    ) -> QuerySet[Template]:
        # A subquery and not its negation: SQL's NOT of an absent key is neither.
        launchable = Template.objects.filter(
            enabled=True, current_revision__isnull=False, availability__launchable=True
        ).values("pk")
        return (
            templates.filter(pk__in=launchable) if wanted else templates.exclude(pk__in=launchable)
        )
