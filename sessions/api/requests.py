"""What programs may ask of sessions, and the smaller things they read of them."""

from __future__ import annotations

from rest_framework import serializers

from sessions.choices import EventKind, Role
from sessions.models import SessionEvent, SessionShare
from streamspace.api.fields import DurationField, StrictBooleanField, StrictSerializer, TextField
from templates_app.api.fields import ResourcesSerializer

ROLES = [(role.value, role.label) for role in (Role.VIEW, Role.CONTROL)]
"""What a guest may be."""


class LaunchSerializer(StrictSerializer):
    """What a launch may choose. Everything but the template is left to the template."""

    template = TextField(max_length=63, help_text="Name of a template.")
    display_name = TextField(
        max_length=100, required=False, allow_blank=True, help_text="What people read."
    )
    resources = ResourcesSerializer(required=False)
    persistent_home = StrictBooleanField(
        default=True, help_text="False: what it stores ends with the session."
    )
    idle_timeout = DurationField(
        required=False, allow_null=True, help_text="Time without input before it hibernates."
    )
    owner = TextField(
        max_length=150, required=False, help_text="User name to launch for. For staff."
    )


class RenameSerializer(StrictSerializer):
    """What of a session can be changed in place."""

    display_name = TextField(max_length=100)


class ShareRequestSerializer(StrictSerializer):
    """Leave for another user."""

    user = TextField(max_length=150, help_text="User name.")
    role = serializers.ChoiceField(ROLES)


class ShareSerializer(serializers.Serializer[SessionShare]):
    """Who else may watch or use a session."""

    user = serializers.CharField(source="user.username", read_only=True)
    role = serializers.ChoiceField(ROLES, read_only=True)
    created_at = serializers.DateTimeField(read_only=True)


class EventSerializer(serializers.Serializer[SessionEvent]):
    """One line of a session's history."""

    id = serializers.IntegerField(read_only=True)
    session = serializers.CharField(source="session.name", read_only=True)
    at = serializers.DateTimeField(read_only=True)
    kind = serializers.ChoiceField(EventKind.choices, read_only=True)
    actor = serializers.SerializerMethodField(help_text="Who asked; null: StreamSpace itself.")
    reason = serializers.CharField(read_only=True)
    message = serializers.CharField(read_only=True)

    def get_actor(self, event: SessionEvent) -> str | None:
        return event.actor.username if event.actor else None
