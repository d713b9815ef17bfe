"""``manage.py hibernate_session``."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from sessions import services

from ._lookup import each


class Command(BaseCommand):
    """Hibernate sessions."""

    help = (
        "Ask for sessions to hibernate: their compute is released, their homes are kept. A running "
        "StreamSpace does it within seconds. Exits with 1 when one is refused or unknown."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("names", nargs="+", metavar="NAME", help="Name of a session.")

    def handle(self, *args: Any, **options: Any) -> None:
        each(self, options["names"], services.hibernate, "asked to hibernate")
