from __future__ import annotations

from pathlib import Path

from django.apps import AppConfig
from django.conf import settings

TEMPLATES_DIR = Path(__file__).resolve().parent / "templates"


class FrontendConfig(AppConfig):
    name = "frontend"
    verbose_name = "Portal"

    def ready(self) -> None:
        # allauth stands before this app in INSTALLED_APPS, so its pages would win over ours.
        # A project's own folder is searched first; engines are built after every app is ready.
        folders = settings.TEMPLATES[0]["DIRS"]
        if TEMPLATES_DIR not in folders:
            folders.insert(0, TEMPLATES_DIR)
