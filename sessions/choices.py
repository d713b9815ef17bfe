"""The words of a session's life."""

from __future__ import annotations

from django.db import models


class DesiredState(models.TextChoices):
    """What the owner asked for."""

    RUNNING = "running", "Running"
    HIBERNATED = "hibernated", "Hibernated"
    TERMINATED = "terminated", "Terminated"


class Phase(models.TextChoices):
    """What is observed."""

    PENDING = "Pending", "Pending"
    RUNNING = "Running", "Running"
    HIBERNATED = "Hibernated", "Hibernated"
    FAILED = "Failed", "Failed"
    TERMINATED = "Terminated", "Terminated"


class Role(models.TextChoices):
    """What someone may do with a session's stream."""

    OWNER = "owner", "Owner"
    CONTROL = "control", "Can use it"
    VIEW = "view", "Can watch"


class EventKind(models.TextChoices):
    """What a session's history tells."""

    LAUNCHED = "launched", "Launched"
    RUNNING = "running", "Running"
    HIBERNATE_REQUESTED = "hibernate_requested", "Hibernation requested"
    HIBERNATED = "hibernated", "Hibernated"
    WAKE_REQUESTED = "wake_requested", "Wake requested"
    RETRIED = "retried", "Retried"
    RESTARTED = "restarted", "Restarted by itself"
    EXTENDED = "extended", "Extended"
    FAILED = "failed", "Failed"
    SHARED = "shared", "Shared"
    UNSHARED = "unshared", "Share revoked"
    TERMINATE_REQUESTED = "terminate_requested", "Termination requested"
    TERMINATED = "terminated", "Terminated"


class StopReason(models.TextChoices):
    """Why a session was asked to hibernate."""

    USER = "user", "asked for"
    OPERATOR = "operator", "asked for by an operator"
    IDLE = "idle", "no input"
    MAX_DURATION = "max_duration", "longest duration reached"
    CLOSED = "closed", "the application was closed"
