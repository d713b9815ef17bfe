"""Templates and their immutable revisions."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models

from .choices import AppType, Source


class Template(models.Model):
    """Something that can be launched, as the catalogue shows it.

    What a session is made of stands in the revision; the fields here are a copy of the current
    revision's for listing and search, plus what operators decide (enabled, featured).
    """

    name = models.SlugField(max_length=63, unique=True, help_text="Name in manifests and the API.")
    display_name = models.CharField(max_length=100)
    description = models.TextField(blank=True)
    category = models.CharField(max_length=60, default="Other", db_index=True)
    tags = models.JSONField(default=list, blank=True)
    icon = models.TextField(blank=True, editable=False, help_text="A sanitised SVG document.")
    app_type = models.CharField(max_length=10, choices=AppType.choices, default=AppType.DESKTOP)
    current_revision = models.ForeignKey(
        "TemplateRevision", on_delete=models.PROTECT, null=True, related_name="+"
    )
    enabled = models.BooleanField(
        default=True, help_text="Whether it can be launched. Running sessions are not affected."
    )
    featured = models.BooleanField(default=False, help_text="Shown first in the catalogue.")
    availability = models.JSONField(
        default=dict,
        blank=True,
        editable=False,
        help_text="What the runtime says: {launchable, reason, message, remedy}.",
    )
    favourites = models.ManyToManyField(
        settings.AUTH_USER_MODEL, related_name="favourite_templates", blank=True
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["display_name", "name"]

    def __str__(self) -> str:
        return self.display_name

    @property
    def launchable(self) -> bool:
        """Whether a launch would be accepted now, as far as the template is concerned."""
        return (
            self.enabled
            and self.current_revision_id is not None
            and bool(self.availability.get("launchable"))
        )


class TemplateRevision(models.Model):
    """An immutable copy of a template's spec. Sessions are pinned to one, so that a change of
    the template never reaches what is running (coder#24333)."""

    template = models.ForeignKey(
        Template, on_delete=models.SET_NULL, null=True, related_name="revisions"
    )
    template_name = models.SlugField(max_length=63, help_text="Outlives the template.")
    number = models.PositiveIntegerField()
    content_hash = models.CharField(max_length=64)
    spec = models.JSONField()
    source = models.CharField(max_length=10, choices=Source.choices, default=Source.FILE)
    origin = models.CharField(max_length=500, blank=True, help_text="File or person.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["template", "number"], name="revision_number_unique"),
            models.UniqueConstraint(
                fields=["template", "content_hash"], name="revision_content_unique"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.template_name} r{self.number}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("a template revision is immutable; make a new one")
        super().save(*args, **kwargs)
