from django.apps import AppConfig


class StreamConfig(AppConfig):
    """An app of its own for the viewer's HTML templates and static files; it has no models."""

    name = "sessions.stream"
    label = "stream"
    verbose_name = "Stream"

    def ready(self) -> None:
        from . import signals  # noqa: F401 (importing connects them)
