"""What the API's views have in common."""

from __future__ import annotations

from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from django.http import Http404
from rest_framework import viewsets
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from streamspace.accounts.models import User
from streamspace.errors import NotFound

M = TypeVar("M", bound=Model)


class ApiViewSet(viewsets.GenericViewSet[M]):
    """A view set whose missing objects have an error code of their own."""

    not_found_code = "not_found"
    not_found_message = "There is no such thing, or not for you."

    def filter_queryset(self, queryset: QuerySet[M, Any]) -> QuerySet[M, Any]:
        # Filters are for lists: a session that is over is still there under its own name.
        return queryset if self.detail else super().filter_queryset(queryset)

    def get_object(self) -> M:
        try:
            return super().get_object()
        except Http404:
            raise NotFound(self.not_found_message, code=self.not_found_code) from None

    @property
    def person(self) -> User:
        """Who is calling; only for views that let nobody else in."""
        return person(self.request)

    def page_of(self, queryset: QuerySet[Any], serializer: Any) -> Response:
        """One page of ``queryset`` as a response."""
        page = self.paginate_queryset(queryset)
        return self.get_paginated_response(serializer(page, many=True).data)


def person(request: Request) -> User:
    """The signed-in user of a request that a permission let through."""
    user = request.user
    if not isinstance(user, User):
        raise TypeError("this view lets strangers in")
    return user


class IsSuperuser(BasePermission):
    """Only superusers: what gives rights may not be in the hands of those who could take them."""

    message = "Only superusers may do this."

    def has_permission(self, request: Request, view: APIView) -> bool:
        return request.user.is_authenticated and request.user.is_superuser
