"""Enumerations of this app."""

from __future__ import annotations

from django.db import models


class AppType(models.TextChoices):
    """How an application reaches the browser."""

    DESKTOP = "desktop", "Desktop"
    """Its screen is streamed (VNC)."""
    WEBAPP = "webapp", "Web application"
    """It serves web pages of its own."""


class Source(models.TextChoices):
    """Where a template revision came from."""

    FILE = "file", "Manifest file"
    ADMIN = "admin", "Admin"
