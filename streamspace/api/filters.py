"""Filters that say so when they are not understood."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import QuerySet
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.views import APIView

from .schema import shaped

_ALWAYS = frozenset({"page", "page_size", "format"})


class StrictFilterBackend(DjangoFilterBackend):
    """Refuses query parameters that do not exist here.

    ``?onwer=ada`` must not answer with everybody's.
    """

    def filter_queryset(
        self, request: Request, queryset: QuerySet[Any], view: APIView
    ) -> QuerySet[Any]:
        filterset_class = self.get_filterset_class(view, queryset)
        known = set(filterset_class.base_filters) if filterset_class else set()
        if unknown := sorted(request.query_params.keys() - known - _ALWAYS):
            there_are = ", ".join(sorted(known | {"page", "page_size"}))
            raise ValidationError(
                {
                    name[:100]: [f"There is no such filter; there are: {there_are}."]
                    for name in unknown[:10]
                }
            )
        filtered: QuerySet[Any] = super().filter_queryset(request, queryset, view)
        return filtered


@shaped({"type": "boolean"})
class YesNoFilter(django_filters.TypedChoiceFilter):
    """``true`` or ``false``; django-filter's own takes anything else for "not given"."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("choices", [("true", "true"), ("false", "false")])
        kwargs.setdefault("coerce", lambda text: text == "true")
        super().__init__(*args, **kwargs)


@shaped({"type": "string", "maxLength": 150})
class TextFilter(django_filters.CharFilter):
    """A text that fits a column."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"max_length": 150, **kwargs})
