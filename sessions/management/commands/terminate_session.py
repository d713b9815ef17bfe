"""``manage.py terminate_session``."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from sessions import services

from ._lookup import each


class Command(BaseCommand):
    """Terminate sessions."""

    help = (
        "End sessions for good. Homes are kept. Works in every phase. Exits with 1 when one is "
        "unknown."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("names", nargs="+", metavar="NAME", help="Name of a session.")

    def handle(self, *args: Any, **options: Any) -> None:
        each(self, options["names"], services.terminate, "asked to terminate")
