from django.apps import AppConfig


class StreamSpaceConfig(AppConfig):
    """The project itself: its management commands and static settings."""

    name = "streamspace"
    label = "streamspace"
