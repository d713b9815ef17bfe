"""Users, their quotas and their API tokens."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser, Group
from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import Coalesce
from knox.models import AbstractAuthToken


class User(AbstractUser):
    """A person who can sign in. Ours from the first migration, so that it can grow."""

    class Meta(AbstractUser.Meta):
        constraints = [
            models.CheckConstraint(condition=~Q(username=""), name="user_has_a_name"),
        ]


class Quota(models.Model):
    """Upper limits on what one user may have. An empty limit leaves the next rule to decide.

    The user's own quota decides first, then the most generous of the user's groups', then the
    default one (neither user nor group); what none of them limits is unlimited.
    """

    user = models.OneToOneField(
        User, on_delete=models.CASCADE, null=True, blank=True, related_name="quota"
    )
    group = models.OneToOneField(
        Group, on_delete=models.CASCADE, null=True, blank=True, related_name="quota"
    )
    max_sessions = models.PositiveIntegerField(
        "sessions", null=True, blank=True, help_text="Sessions that exist, hibernated ones too."
    )
    max_running = models.PositiveIntegerField(
        "running sessions", null=True, blank=True, help_text="Sessions that run at the same time."
    )
    max_cpu_millicores = models.PositiveIntegerField(
        "CPU", null=True, blank=True, help_text="Of all running sessions, in millicores."
    )
    max_memory_mib = models.PositiveIntegerField(
        "memory", null=True, blank=True, help_text="Of all running sessions, in MiB."
    )
    max_storage_mib = models.PositiveIntegerField(
        "storage", null=True, blank=True, help_text="Of the user's homes, in MiB."
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(user__isnull=True) | Q(group__isnull=True),
                name="quota_for_a_user_or_a_group",
            ),
            models.UniqueConstraint(
                Coalesce("user", Value(0)),
                condition=Q(user__isnull=True, group__isnull=True),
                name="one_default_quota",
                violation_error_message="There is a default quota already; change that one.",
            ),
        ]

    def __str__(self) -> str:
        if self.user_id is not None:
            return f"Quota of {self.user}"
        if self.group_id is not None:
            return f"Quota of the group {self.group}"
        return "Default quota"


class ApiToken(AbstractAuthToken):
    """A named, expiring API token; only its hash is stored (django-rest-knox)."""

    name = models.CharField(max_length=100, default="", blank=True)

    class Meta:
        ordering = ["-created"]

    def __str__(self) -> str:
        return f"{self.name or 'token'} ({self.token_key}…)"
