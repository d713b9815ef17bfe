"""How a session looks to programs: the same in the REST API and on the WebSocket.

The serializer needs what :func:`sessions.selectors.visible_to` selects and makes no query of its
own. Without a context a session is shown as to its owner; with ``context={"viewer": user}`` and
rows of :func:`sessions.api.reads.sessions_for`, ``role`` and ``actions`` are the viewer's.
"""

from __future__ import annotations

from rest_framework import serializers

from sessions.choices import DesiredState, Phase, Role
from sessions.lifecycle import Action, DisplayState
from sessions.models import Session
from sessions.stream.origins import portal_origin, session_origin
from streamspace.api.fields import DurationField
from streamspace.api.schema import shaped
from templates_app.api.fields import ResourcesSerializer

_CONDITIONS = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "type": {"type": "string", "example": "Ready"},
            "status": {"type": "string", "enum": ["True", "False", "Unknown"]},
            "reason": {"type": "string"},
            "message": {"type": "string"},
            "lastTransitionTime": {"type": "string", "format": "date-time"},
        },
        "required": ["type", "status"],
    },
    "description": "Observed aspects, as Kubernetes writes them.",
}
_EXPLANATION = {
    "type": "object",
    "properties": {
        "reason": {"type": "string", "example": "ApplicationExited"},
        "message": {"type": "string"},
        "who": {"type": "string", "enum": ["you", "operator"]},
        "actions": {"type": "array", "items": {"type": "string"}},
        "log": {"type": "array", "items": {"type": "string"}},
    },
    "description": "Why it does not run and who can do what about it; empty when all is well.",
}
_ACTIONS = {
    "type": "array",
    "items": {"type": "string", "enum": [action.value for action in Action]},
    "description": "What may be asked for now.",
}
_ROLE = {"type": "string", "nullable": True, "enum": [*Role.values, None]}
_OF_GUESTS = {
    Role.VIEW: frozenset({Action.OPEN}),
    Role.CONTROL: frozenset({Action.OPEN, Action.EXTEND}),
}


@shaped(_CONDITIONS)
class ConditionsField(serializers.JSONField):
    """The record's conditions, with their shape in the schema."""


@shaped(_EXPLANATION)
class ExplanationField(serializers.JSONField):
    """The record's explanation, with its shape in the schema."""


class SessionSerializer(serializers.Serializer[Session]):
    """One session, for whoever may see it."""

    id = serializers.UUIDField(read_only=True)
    name = serializers.CharField(read_only=True, help_text="Unique for ever; part of addresses.")
    display_name = serializers.CharField(read_only=True)
    owner = serializers.CharField(source="owner.username", read_only=True)
    template = serializers.CharField(source="revision.template_name", read_only=True)
    revision = serializers.IntegerField(
        source="revision.number", read_only=True, help_text="Template revision it is pinned to."
    )
    update_available = serializers.SerializerMethodField(
        help_text="The template has a newer revision; a new session would get it."
    )
    role = serializers.SerializerMethodField(
        help_text="What the caller is to it; null: staff, who manage it without seeing inside."
    )
    desired_state = serializers.ChoiceField(DesiredState.choices, read_only=True)
    phase = serializers.ChoiceField(Phase.choices, read_only=True)
    display_state = serializers.ChoiceField(DisplayState.choices, read_only=True)
    stop_reason = serializers.CharField(
        read_only=True, help_text="Why it was asked to hibernate: `user`, `idle` …; else empty."
    )
    step = serializers.CharField(read_only=True, help_text="What a start is busy with.")
    conditions = ConditionsField(read_only=True)
    explanation = ExplanationField(read_only=True)
    actions = serializers.SerializerMethodField()
    resources = ResourcesSerializer(source="*", read_only=True)
    persistent_home = serializers.SerializerMethodField()
    idle_timeout = DurationField(read_only=True, allow_null=True)
    idle_deadline = serializers.DateTimeField(
        read_only=True, allow_null=True, help_text="When it hibernates by itself without input."
    )
    max_duration = DurationField(read_only=True, allow_null=True)
    start_requested_at = serializers.DateTimeField(
        read_only=True, help_text="Launch, or the last wake or retry."
    )
    running_since = serializers.DateTimeField(read_only=True, allow_null=True)
    last_activity_at = serializers.DateTimeField(read_only=True)
    created_at = serializers.DateTimeField(read_only=True)
    terminated_at = serializers.DateTimeField(read_only=True, allow_null=True)
    generation = serializers.IntegerField(read_only=True, help_text="Counts changes of the wish.")
    observed_generation = serializers.IntegerField(
        read_only=True, help_text="The last generation that was acted on."
    )
    version = serializers.IntegerField(read_only=True, help_text="Grows with every change.")
    url = serializers.SerializerMethodField(help_text="Open this in a browser to use it.")
    stream_url = serializers.SerializerMethodField(help_text="Its own web origin.")

    def get_update_available(self, session: Session) -> bool:
        template = session.template
        return template is not None and template.current_revision_id != session.revision_id

    @shaped(_ROLE)
    def get_role(self, session: Session) -> str | None:
        viewer = self.context.get("viewer")
        if viewer is None or viewer.pk == session.owner_id:
            return Role.OWNER.value
        shares = getattr(session, "shares_with_viewer", [])
        return shares[0].role if shares else None

    @shaped(_ACTIONS)
    def get_actions(self, session: Session) -> list[str]:
        actions = session.allowed_actions
        viewer = self.context.get("viewer")
        role = self.get_role(session)
        if role is None:
            actions -= {Action.OPEN}  # staff manage a session, they do not look into it
        elif role != Role.OWNER and not (viewer is not None and viewer.is_staff):
            actions &= _OF_GUESTS[Role(role)]
        return sorted(action.value for action in actions)

    def get_persistent_home(self, session: Session) -> bool:
        return session.home_id is not None

    @shaped({"type": "string", "format": "uri"})
    def get_url(self, session: Session) -> str:
        return f"{portal_origin()}/sessions/{session.name}/enter"

    @shaped({"type": "string", "format": "uri"})
    def get_stream_url(self, session: Session) -> str:
        return session_origin(session.name)
