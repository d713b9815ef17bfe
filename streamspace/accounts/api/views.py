"""People, groups, quotas and tokens for programs. Views translate; services decide."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group
from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiExample
from rest_framework import status
from rest_framework.permissions import BasePermission, IsAdminUser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle

from streamspace.accounts import selectors, services
from streamspace.accounts.models import ApiToken, Quota, User
from streamspace.api.schema import documented
from streamspace.api.throttling import TokenCreationThrottle
from streamspace.api.views import ApiViewSet, IsSuperuser
from streamspace.errors import UserError

from .filters import QuotaFilter, UserFilter
from .serializers import (
    GroupRequestSerializer,
    GroupSerializer,
    LimitsSerializer,
    NewQuotaSerializer,
    NewTokenSerializer,
    NewUserSerializer,
    ProfileSerializer,
    QuotaSerializer,
    TokenRequestSerializer,
    TokenSerializer,
    UserChangeSerializer,
)

_ADMINISTRATION = ["administration"]


class UserViewSet(ApiViewSet[User]):
    """Everybody. For staff; what gives rights is for superusers."""

    serializer_class = ProfileSerializer
    filterset_class = UserFilter
    permission_classes = (IsAdminUser,)
    lookup_field = "username"
    not_found_code = "user_not_found"
    not_found_message = "There is no such user."

    def get_queryset(self) -> QuerySet[User]:
        return selectors.all_users()

    @documented(operation_id="list_users", tags=_ADMINISTRATION, summary="List people")
    def list(self, request: Request) -> Response:
        return self.page_of(self.filter_queryset(self.get_queryset()), ProfileSerializer)

    @documented(
        operation_id="create_user",
        tags=_ADMINISTRATION,
        summary="Make a person who can sign in",
        request=NewUserSerializer,
        responses={201: ProfileSerializer},
        errors=["username_taken"],
    )
    def create(self, request: Request) -> Response:
        asked = NewUserSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        user = services.create_user(**asked.validated_data, actor=self.person)
        return Response(ProfileSerializer(user).data, status=status.HTTP_201_CREATED)

    @documented(
        operation_id="get_user",
        tags=_ADMINISTRATION,
        summary="Look at a person",
        errors=["user_not_found"],
    )
    def retrieve(self, request: Request, username: str) -> Response:
        return Response(ProfileSerializer(self.get_object()).data)

    @documented(
        operation_id="change_user",
        tags=_ADMINISTRATION,
        summary="Change a person",
        description="Only superusers change operators' accounts and anybody's rights. Who is shut "
        "out or gets a new password loses their API tokens.",
        request=UserChangeSerializer,
        responses=ProfileSerializer,
        errors=["user_not_found"],
    )
    def partial_update(self, request: Request, username: str) -> Response:
        user = self.get_object()
        asked = UserChangeSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        user = services.change_user(user, **asked.validated_data, actor=self.person)
        return Response(ProfileSerializer(selectors.all_users().get(pk=user.pk)).data)


class GroupViewSet(ApiViewSet[Group]):
    """Groups. Staff read them; because rights hang on them, superusers write them."""

    serializer_class = GroupSerializer

    def get_permissions(self) -> list[BasePermission]:
        return [IsAdminUser() if self.action in ("list", "retrieve") else IsSuperuser()]

    def get_queryset(self) -> QuerySet[Group]:
        return selectors.all_groups()

    @documented(operation_id="list_groups", tags=_ADMINISTRATION, summary="List groups")
    def list(self, request: Request) -> Response:
        return self.page_of(self.filter_queryset(self.get_queryset()), GroupSerializer)

    @documented(
        operation_id="create_group",
        tags=_ADMINISTRATION,
        summary="Make a group",
        request=GroupRequestSerializer,
        responses={201: GroupSerializer},
        errors=["group_exists"],
    )
    def create(self, request: Request) -> Response:
        group = services.add_group(self._name(request))
        return Response(self._shown(group), status=status.HTTP_201_CREATED)

    @documented(operation_id="get_group", tags=_ADMINISTRATION, summary="Look at a group")
    def retrieve(self, request: Request, pk: int) -> Response:
        return Response(GroupSerializer(self.get_object()).data)

    @documented(
        operation_id="rename_group",
        tags=_ADMINISTRATION,
        summary="Rename a group",
        request=GroupRequestSerializer,
        responses=GroupSerializer,
        errors=["group_exists"],
    )
    def partial_update(self, request: Request, pk: int) -> Response:
        return Response(self._shown(services.rename_group(self.get_object(), self._name(request))))

    @documented(
        operation_id="delete_group",
        tags=_ADMINISTRATION,
        summary="Delete a group, its quota and the rights it gave",
    )
    def destroy(self, request: Request, pk: int) -> Response:
        self.get_object().delete()
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _name(self, request: Request) -> str:
        asked = GroupRequestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        return str(asked.validated_data["name"])

    def _shown(self, group: Group) -> Any:
        return GroupSerializer(self.get_queryset().get(pk=group.pk)).data


class QuotaViewSet(ApiViewSet[Quota]):
    """Quotas: of everybody (the default), of groups and of users. For staff."""

    serializer_class = QuotaSerializer
    filterset_class = QuotaFilter
    permission_classes = (IsAdminUser,)

    def get_queryset(self) -> QuerySet[Quota]:
        return selectors.all_quotas()

    @documented(operation_id="list_quotas", tags=_ADMINISTRATION, summary="List quotas")
    def list(self, request: Request) -> Response:
        return self.page_of(self.filter_queryset(self.get_queryset()), QuotaSerializer)

    @documented(
        operation_id="create_quota",
        tags=_ADMINISTRATION,
        summary="Limit a user, a group, or everybody",
        request=NewQuotaSerializer,
        responses={201: QuotaSerializer},
        examples=[OpenApiExample("Of a group", {"group": "students", "max_running": 2})],
        errors=["quota_exists"],
    )
    def create(self, request: Request) -> Response:
        asked = NewQuotaSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        limits = asked.validated_data
        username, group_name = limits.pop("user", None), limits.pop("group", None)
        user = User.objects.filter(username=username).first()
        group = Group.objects.filter(name=group_name).first()
        for field, given, found in (("user", username, user), ("group", group_name, group)):
            if given is not None and found is None:
                message = f"There is no {field} {given!r}."
                raise UserError(message, details={field: [message]})
        quota = services.add_quota(user=user, group=group, actor=self.person, **limits)
        return Response(QuotaSerializer(quota).data, status=status.HTTP_201_CREATED)

    @documented(operation_id="get_quota", tags=_ADMINISTRATION, summary="Look at a quota")
    def retrieve(self, request: Request, pk: int) -> Response:
        return Response(QuotaSerializer(self.get_object()).data)

    @documented(
        operation_id="change_quota",
        tags=_ADMINISTRATION,
        summary="Change limits",
        request=LimitsSerializer,
        responses=QuotaSerializer,
    )
    def partial_update(self, request: Request, pk: int) -> Response:
        quota = self.get_object()
        asked = LimitsSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        quota = services.change_quota(quota, actor=self.person, **asked.validated_data)
        return Response(QuotaSerializer(quota).data)

    @documented(
        operation_id="delete_quota",
        tags=_ADMINISTRATION,
        summary="Delete a quota; the next rule decides",
    )
    def destroy(self, request: Request, pk: int) -> Response:
        services.delete_quota(self.get_object(), actor=self.person)
        return Response(status=status.HTTP_204_NO_CONTENT)


class TokenViewSet(ApiViewSet[ApiToken]):
    """The caller's own API tokens; nobody reaches anybody else's."""

    queryset = ApiToken.objects.none()  # tells the schema the model
    serializer_class = TokenSerializer

    def get_queryset(self) -> QuerySet[ApiToken]:
        return selectors.tokens_of(self.person)

    def get_throttles(self) -> list[BaseThrottle]:
        return [TokenCreationThrottle()] if self.action == "create" else []

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "used": self._used()}

    @documented(operation_id="list_tokens", tags=["account"], summary="List own API tokens")
    def list(self, request: Request) -> Response:
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @documented(
        operation_id="create_token",
        tags=["account"],
        summary="Make an API token",
        description="The answer is the only place where the secret is ever shown. A request that "
        "is itself authenticated with a token gets one that ends no later than that token, so "
        "that whoever found a token cannot prolong it.",
        request=TokenRequestSerializer,
        responses={201: NewTokenSerializer},
        errors=["too_many_tokens"],
    )
    def create(self, request: Request) -> Response:
        asked = TokenRequestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        token, secret = services.create_token(
            self.person,
            asked.validated_data["name"],
            asked.validated_data.get("lifetime"),
            parent=self._used(),
        )
        body = {**self.get_serializer(token).data, "token": secret}
        return Response(body, status=status.HTTP_201_CREATED)

    @documented(
        operation_id="revoke_token",
        tags=["account"],
        summary="Make an API token worthless at once",
        errors=["token_not_found"],
    )
    def destroy(self, request: Request, token_key: str) -> Response:
        services.revoke_token(self.person, token_key)
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _used(self) -> ApiToken | None:
        used = self.request.auth
        return used if isinstance(used, ApiToken) else None
