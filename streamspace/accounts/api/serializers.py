"""People, groups, quotas and tokens for programs."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group
from rest_framework import serializers

from streamspace.accounts.models import ApiToken, Quota, User
from streamspace.accounts.services import LIMITS
from streamspace.api.fields import (
    DurationField,
    StrictBooleanField,
    StrictIntegerField,
    StrictSerializer,
    TextField,
)
from streamspace.api.schema import shaped

_HELP = {field.name: str(field.help_text) for field in Quota._meta.fields}
LARGEST_LIMIT = 2_147_483_647
"""The database's integers end here."""


class ProfileSerializer(serializers.Serializer[User]):
    """A person."""

    username = serializers.CharField(read_only=True)
    first_name = serializers.CharField(read_only=True)
    last_name = serializers.CharField(read_only=True)
    email = serializers.CharField(read_only=True)
    is_active = serializers.BooleanField(read_only=True, help_text="Whether they may sign in.")
    is_staff = serializers.BooleanField(read_only=True, help_text="An operator.")
    is_superuser = serializers.BooleanField(read_only=True, help_text="May give rights.")
    groups = serializers.SerializerMethodField(help_text="Names.")
    date_joined = serializers.DateTimeField(read_only=True)
    last_login = serializers.DateTimeField(read_only=True, allow_null=True)

    def get_groups(self, user: User) -> list[str]:
        return sorted(group.name for group in user.groups.all())


class UserChangeSerializer(StrictSerializer):
    """What can be changed about a person. Rights: by superusers only."""

    first_name = TextField(max_length=150, required=False, allow_blank=True)
    last_name = TextField(max_length=150, required=False, allow_blank=True)
    email = serializers.EmailField(max_length=254, required=False, allow_blank=True)
    password = TextField(
        max_length=200,
        required=False,
        allow_null=True,
        trim_whitespace=False,
        write_only=True,
        help_text="Null: none, so that only single sign-on lets them in.",
    )
    is_active = StrictBooleanField(required=False)
    is_staff = StrictBooleanField(required=False, help_text="Superusers only.")
    is_superuser = StrictBooleanField(required=False, help_text="Superusers only.")
    groups = serializers.ListField(
        child=TextField(max_length=150),
        required=False,
        max_length=100,
        help_text="Names of groups; replaces the present ones. Superusers only.",
    )


class NewUserSerializer(UserChangeSerializer):
    """A person to be."""

    username = TextField(max_length=150)


class GroupSerializer(serializers.Serializer[Group]):
    """A group: quotas and rights hang on it."""

    id = serializers.IntegerField(read_only=True)
    name = serializers.CharField(read_only=True)
    members = serializers.IntegerField(read_only=True)


class GroupRequestSerializer(StrictSerializer):
    """A group's name."""

    name = TextField(max_length=150)


def _limit(name: str) -> StrictIntegerField:
    return StrictIntegerField(
        min_value=0,
        max_value=LARGEST_LIMIT,
        required=False,
        allow_null=True,
        help_text=_HELP[name],
    )


class LimitsSerializer(StrictSerializer):
    """The limits of a quota; null leaves the next rule (own, groups', default) to decide."""

    max_sessions = _limit("max_sessions")
    max_running = _limit("max_running")
    max_cpu_millicores = _limit("max_cpu_millicores")
    max_memory_mib = _limit("max_memory_mib")
    max_storage_mib = _limit("max_storage_mib")


class NewQuotaSerializer(LimitsSerializer):
    """A quota of a user, of a group, or (neither) of everybody."""

    user = TextField(max_length=150, required=False, allow_null=True, help_text="User name.")
    group = TextField(max_length=150, required=False, allow_null=True, help_text="Group name.")

    def validate(self, attrs: Any) -> Any:
        if attrs.get("user") is not None and attrs.get("group") is not None:
            raise serializers.ValidationError("A quota is for a user or for a group, not both.")
        return attrs


class QuotaSerializer(serializers.ModelSerializer[Quota]):
    """A quota."""

    kind = serializers.SerializerMethodField(help_text="Whom it is for.")
    user: serializers.SlugRelatedField[User] = serializers.SlugRelatedField(
        "username", read_only=True, allow_null=True
    )
    group: serializers.SlugRelatedField[Group] = serializers.SlugRelatedField(
        "name", read_only=True, allow_null=True
    )

    class Meta:
        model = Quota
        fields = ("id", "kind", "user", "group", *LIMITS)
        read_only_fields = fields

    @shaped({"type": "string", "enum": ["default", "group", "user"]})
    def get_kind(self, quota: Quota) -> str:
        if quota.user_id is not None:
            return "user"
        return "group" if quota.group_id is not None else "default"


class TokenSerializer(serializers.Serializer[ApiToken]):
    """A token, without its secret."""

    id = serializers.CharField(
        source="token_key", read_only=True, help_text="The token's first characters."
    )
    name = serializers.CharField(read_only=True)
    created_at = serializers.DateTimeField(source="created", read_only=True)
    expires_at = serializers.DateTimeField(source="expiry", read_only=True, allow_null=True)
    current = serializers.SerializerMethodField(help_text="This request was made with it.")

    def get_current(self, token: ApiToken) -> bool:
        used = self.context.get("used")
        return used is not None and used.pk == token.pk


class NewTokenSerializer(TokenSerializer):
    """A token on the one occasion that shows its secret."""

    token = serializers.CharField(
        read_only=True, help_text="The secret. It is shown here and never again."
    )


class TokenRequestSerializer(StrictSerializer):
    """A token to be."""

    name = TextField(max_length=100, help_text="What it is for.")
    lifetime = DurationField(
        required=False, allow_null=True, help_text="Absent: the longest that is allowed."
    )
