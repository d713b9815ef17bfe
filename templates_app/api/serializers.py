"""How the catalogue looks to programs."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from streamspace.api.fields import DurationField, StrictBooleanField, StrictSerializer
from streamspace.api.schema import shaped
from streamspace.config import parse_duration
from templates_app.choices import AppType, Source
from templates_app.models import Template, TemplateRevision
from templates_app.specs import resources_of

from .fields import ResourcesSerializer

_AVAILABILITY = {
    "type": "object",
    "properties": {
        "launchable": {"type": "boolean"},
        "reason": {"type": "string", "example": "ProgramNotInstalled"},
        "message": {"type": "string"},
        "remedy": {"type": "string", "description": "What to do about it, one sentence."},
    },
    "description": "What the runtime says of it; empty until it has looked.",
}


@shaped(_AVAILABILITY)
class AvailabilityField(serializers.JSONField):
    """The record's availability, with its shape in the schema."""


@shaped({"type": "array", "items": {"type": "string"}})
class TagsField(serializers.JSONField):
    """A list of words."""


@shaped({"type": "object", "additionalProperties": True})
class SpecField(serializers.JSONField):
    """A template's spec, as its manifest writes it."""


class TemplateSerializer(serializers.Serializer[Template]):
    """One template."""

    # Needs ``current_revision`` selected and ``favourite`` annotated.

    name = serializers.CharField(read_only=True)
    display_name = serializers.CharField(read_only=True)
    description = serializers.CharField(read_only=True)
    category = serializers.CharField(read_only=True)
    tags = TagsField(read_only=True)
    app_type = serializers.ChoiceField(AppType.choices, read_only=True)
    icon_url = serializers.SerializerMethodField(help_text="Path on the portal's origin.")
    enabled = serializers.BooleanField(read_only=True, help_text="An operator's decision.")
    featured = serializers.BooleanField(read_only=True)
    availability = AvailabilityField(read_only=True)
    launchable = serializers.BooleanField(
        read_only=True, help_text="Whether a launch would be accepted, quotas aside."
    )
    resources = serializers.SerializerMethodField(help_text="What a launch reserves by default.")
    idle_timeout = serializers.SerializerMethodField(
        help_text="The template's own; null: the installation's."
    )
    revision = serializers.IntegerField(
        source="current_revision.number", read_only=True, allow_null=True, default=None
    )
    favourite = serializers.BooleanField(read_only=True, help_text="Of the caller.")
    created_at = serializers.DateTimeField(read_only=True)
    updated_at = serializers.DateTimeField(read_only=True)

    def _spec(self, template: Template) -> dict[str, Any]:
        revision = template.current_revision
        return revision.spec if revision is not None else {}

    def get_icon_url(self, template: Template) -> str:
        return f"/templates/{template.name}/icon.svg"

    @shaped(ResourcesSerializer)
    def get_resources(self, template: Template) -> Any:
        return ResourcesSerializer(resources_of(self._spec(template))).data

    @shaped(DurationField(allow_null=True))
    def get_idle_timeout(self, template: Template) -> str | None:
        text = self._spec(template).get("idleTimeout")
        return DurationField().to_representation(parse_duration(text)) if text else None


class TemplateChangeSerializer(StrictSerializer):
    """What staff decide about a template. Everything else comes from its manifest."""

    enabled = StrictBooleanField(required=False)
    featured = StrictBooleanField(required=False)


class RevisionSerializer(serializers.Serializer[TemplateRevision]):
    """An immutable copy of a template's spec."""

    number = serializers.IntegerField(read_only=True)
    current = serializers.SerializerMethodField(help_text="New sessions get this one.")
    content_hash = serializers.CharField(read_only=True)
    source = serializers.ChoiceField(Source.choices, read_only=True)  # type: ignore[assignment]
    created_at = serializers.DateTimeField(read_only=True)
    spec = SpecField(read_only=True)

    def get_current(self, revision: TemplateRevision) -> bool:
        return revision.template is not None and revision.template.current_revision_id == (
            revision.pk
        )
