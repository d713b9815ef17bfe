"""``manage.py create_token``."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from streamspace.accounts.models import User
from streamspace.accounts.services import create_token
from streamspace.config import parse_duration
from streamspace.errors import UserError


class Command(BaseCommand):
    """Make an API token."""

    help = (
        "Make an API token for USER and print it: the only time that it can be read. Exits with 1 "
        "when it is refused."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", help="User name.")
        parser.add_argument("--name", default="command line", help="What it is for.")
        parser.add_argument("--lifetime", help="For example 12h or 30d; default is the longest.")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["user"], is_active=True).first()
        if user is None:
            raise CommandError(f"There is no user {options['user']!r}.")
        try:
            lifetime = parse_duration(options["lifetime"]) if options["lifetime"] else None
            _, secret = create_token(user, options["name"], lifetime)
        except UserError as error:
            raise CommandError(error.message) from None
        except ValueError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(secret)
