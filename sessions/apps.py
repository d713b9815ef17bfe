from django.apps import AppConfig


class SessionsConfig(AppConfig):
    name = "sessions"
    # django.contrib.sessions has the label "sessions".
    label = "streamspace_sessions"
    verbose_name = "Sessions"
