from django.apps import AppConfig


class StreamSpaceConfig(AppConfig):
    """The project itself: its management commands and its Celery application."""

    name = "streamspace"
    label = "streamspace"

    def ready(self) -> None:
        # Makes ours the current Celery application in every process that sends tasks.
        from streamspace import celery  # noqa: F401
