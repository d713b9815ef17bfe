"""The operator's console for templates."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from . import manifests, services
from .choices import Source
from .models import Template, TemplateRevision


class Indented(json.JSONEncoder):
    """JSON as a person edits it. The field encodes its value itself, so it is given the object."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "indent": 2})


class TemplateForm(forms.ModelForm[Template]):
    """A template's spec as JSON; saving a changed one makes a new revision."""

    spec = forms.JSONField(
        encoder=Indented,
        widget=forms.Textarea(attrs={"rows": 30, "cols": 100, "spellcheck": "false"}),
        help_text="The `spec` of a Template manifest. Running sessions keep the revision they "
        "were launched from.",
    )

    class Meta:
        model = Template
        fields = ("name", "enabled", "featured")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        revision = self.instance.current_revision
        if revision is not None:
            self.initial["spec"] = revision.spec
        if self.instance.pk:
            self.fields["name"].disabled = True

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if "spec" in cleaned and cleaned.get("name"):
            problems = manifests.validate_spec(cleaned["name"], cleaned["spec"])
            if problems:
                raise ValidationError(
                    {"spec": [f"{p.field or 'spec'}: {p.message}" for p in problems]}
                )
        return cleaned


@admin.register(Template)
class TemplateAdmin(admin.ModelAdmin[Template]):
    form = TemplateForm
    list_display = (
        "name",
        "display_name",
        "category",
        "app_type",
        "current_revision",
        "enabled",
        "featured",
        "available",
    )
    list_editable = ("enabled", "featured")
    list_filter = ("enabled", "featured", "category", "app_type")
    list_select_related = ("current_revision",)
    search_fields = ("name", "display_name", "description")
    readonly_fields = ("missing", "created_at", "updated_at")
    fields = ("name", "enabled", "featured", "missing", "spec", "created_at", "updated_at")

    @admin.display(description="launchable here", boolean=True)
    def available(self, template: Template) -> bool:
        return template.launchable

    @admin.display(description="what is missing")
    def missing(self, template: Template) -> str:
        found = template.availability
        return " ".join(filter(None, [found.get("message"), found.get("remedy")])) or "Nothing."

    def save_model(
        self, request: HttpRequest, obj: Template, form: forms.ModelForm[Template], change: bool
    ) -> None:
        if "spec" in form.cleaned_data:
            services.put(
                obj.name,
                form.cleaned_data["spec"],
                source=Source.ADMIN,
                origin=request.user.get_username(),
            )
            obj.pk = Template.objects.values_list("pk", flat=True).get(name=obj.name)
        Template.objects.filter(pk=obj.pk).update(enabled=obj.enabled, featured=obj.featured)
        obj.refresh_from_db()


@admin.register(TemplateRevision)
class TemplateRevisionAdmin(admin.ModelAdmin[TemplateRevision]):
    """Revisions are immutable: to be read."""

    list_display = ("__str__", "source", "origin", "content_hash", "created_at")
    list_filter = ("source", "template_name")
    search_fields = ("template_name", "content_hash")
    fields = ("template", "number", "source", "origin", "content_hash", "created_at", "pretty_spec")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description="spec")
    def pretty_spec(self, revision: TemplateRevision) -> SafeString:
        return format_html("<pre>{}</pre>", json.dumps(revision.spec, indent=2, ensure_ascii=False))
