"""How lists are cut."""

from __future__ import annotations

from typing import Any

from rest_framework.pagination import PageNumberPagination
from rest_framework.request import Request
from rest_framework.views import APIView


class Pages(PageNumberPagination):
    """``?page=`` and ``?page_size=`` (at most 200) → ``{count, next, previous, results}``."""

    page_size_query_param = "page_size"
    max_page_size = 200


class LatePages(Pages):
    """Pages of wide rows: keys are sorted and cut, then only the page's rows are read.

    Sorting ten thousand sessions with everything that is joined to them takes a database several
    times as long as sorting their keys. Costs one query more.
    """

    def paginate_queryset(
        self, queryset: Any, request: Request, view: APIView | None = None
    ) -> list[Any] | None:
        keys = queryset.prefetch_related(None).values_list("pk", flat=True)
        page: list[Any] | None = super().paginate_queryset(keys, request, view)
        return None if page is None else list(queryset.filter(pk__in=page))
