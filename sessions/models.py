"""Sessions, their homes, shares and history."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q

from .choices import DesiredState, EventKind, Phase, Role, StopReason
from .idle import StopClock, stop_clock
from .lifecycle import Action, DisplayState, allowed_actions, display_state


class Home(models.Model):
    """A user's persistent volume. It outlives sessions, and its user too.

    When the user is deleted the home stays, ownerless, until an operator decides; a new user of
    the same name gets a home of another name (kubespawner#446, #924).
    """

    name = models.SlugField(max_length=63, unique=True)
    owner = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="home"
    )
    size_mib = models.PositiveIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name


class Session(models.Model):
    """One launched template, owned by one user.

    ``desired_state`` and the fields above it are written by ``services`` only, each change with a
    new ``generation``; the observed fields are written by the reconciler only.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.SlugField(max_length=52, unique=True)
    display_name = models.CharField(max_length=100)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="stream_sessions"
    )
    template = models.ForeignKey(
        "templates_app.Template", on_delete=models.SET_NULL, null=True, related_name="sessions"
    )
    revision = models.ForeignKey(
        "templates_app.TemplateRevision", on_delete=models.PROTECT, related_name="sessions"
    )
    home = models.ForeignKey(
        Home, on_delete=models.PROTECT, null=True, blank=True, related_name="sessions"
    )
    cpu_millicores = models.PositiveIntegerField()
    memory_mib = models.PositiveIntegerField()
    idle_timeout = models.DurationField(null=True, blank=True, help_text="Empty: never idle.")
    max_duration = models.DurationField(
        null=True,
        blank=True,
        help_text="Longest time from a start to hibernation. Empty: no limit.",
    )

    desired_state = models.CharField(
        max_length=10, choices=DesiredState.choices, default=DesiredState.RUNNING
    )
    stop_reason = models.CharField(max_length=15, choices=StopReason.choices, blank=True)
    generation = models.PositiveIntegerField(default=1)
    attempt = models.PositiveIntegerField(
        default=1, help_text="Counts starts: launch, wake, retry and restarts by itself."
    )
    start_requested_at = models.DateTimeField(help_text="Launch, or the last wake or retry.")
    last_activity_at = models.DateTimeField(help_text="The idle clock: input, start or extension.")

    phase = models.CharField(max_length=10, choices=Phase.choices, default=Phase.PENDING)
    observed_generation = models.PositiveIntegerField(default=0)
    step = models.CharField(max_length=200, blank=True, help_text="What a start is busy with.")
    conditions = models.JSONField(default=list, blank=True)
    explanation = models.JSONField(
        default=dict,
        blank=True,
        help_text="Why it is not running: {reason, message, who, actions, log}.",
    )
    endpoint = models.JSONField(null=True, blank=True, help_text="Where the stream finds it.")
    restarts = models.PositiveIntegerField(default=0, help_text="By itself, since the last start.")
    running_since = models.DateTimeField(null=True, blank=True)
    version = models.PositiveBigIntegerField(default=1, help_text="Grows with each change.")
    created_at = models.DateTimeField(auto_now_add=True)
    terminated_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["owner", "-created_at"]),
            # The controller's sweep: what is not settled, among what is not over.
            models.Index(
                fields=["desired_state", "phase"],
                name="session_live",
                condition=~Q(phase=Phase.TERMINATED),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def group_name(self) -> str:
        """Channel-layer group of those who look at this one session."""
        return f"session.{self.id.hex}"

    @property
    def display_state(self) -> DisplayState:
        return display_state(self.desired_state, self.phase)

    @property
    def allowed_actions(self) -> frozenset[Action]:
        return allowed_actions(self.desired_state, self.phase)

    @property
    def stop_clock(self) -> StopClock | None:
        """When it hibernates by itself and why, or None when nothing is due.

        Nobody can give input to what does not run yet: a start that waits long for its image is
        not idle.
        """
        if self.desired_state != DesiredState.RUNNING or self.phase == Phase.FAILED:
            return None
        if self.running_since is None:
            return None
        return stop_clock(
            started=self.running_since,
            last_activity=self.last_activity_at,
            idle_timeout=self.idle_timeout,
            max_duration=self.max_duration,
        )

    @property
    def idle_deadline(self) -> datetime | None:
        """When it hibernates by itself unless there is input, or None."""
        clock = self.stop_clock
        return clock.at if clock else None


class SessionShare(models.Model):
    """Leave for another user to watch or use someone's session."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="shares")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="session_shares"
    )
    role = models.CharField(
        max_length=10,
        choices=[(r.value, r.label) for r in (Role.VIEW, Role.CONTROL)],
        default=Role.VIEW,
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["created_at"]
        constraints = [
            models.UniqueConstraint(fields=["session", "user"], name="one_share_per_user"),
        ]

    def __str__(self) -> str:
        return f"{self.session} with {self.user}"


class SessionEvent(models.Model):
    """One line of a session's history; never changed once written."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="events")
    at = models.DateTimeField()
    kind = models.CharField(max_length=30, choices=EventKind.choices)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        help_text="Empty: StreamSpace itself.",
    )
    reason = models.CharField(max_length=60, blank=True)
    message = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [models.Index(fields=["session", "-at"])]

    def __str__(self) -> str:
        return f"{self.session_id}: {self.kind}"
