"""``manage.py create_session``."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from sessions import services
from streamspace.accounts.models import User
from streamspace.config import parse_duration
from streamspace.errors import UserError
from templates_app.specs import parse_cpu, parse_memory


class Command(BaseCommand):
    """Launch a session for a user."""

    help = (
        "Launch a session of TEMPLATE for USER, within that user's quota, and print its name. A "
        "running StreamSpace starts it within seconds. Exits with 1 when it is refused."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", help="User name of the owner.")
        parser.add_argument("template", help="Name of the template, for example terminal.")
        parser.add_argument("--name", default="", help="Name that people read.")
        parser.add_argument("--cpu", help="CPU request, for example 500m or 2.")
        parser.add_argument("--memory", help="Memory request, for example 512Mi or 2Gi.")
        parser.add_argument("--idle-timeout", help="Hibernate without input after, e.g. 45m.")
        parser.add_argument(
            "--no-home",
            action="store_true",
            help="Use an empty home that ends with the session instead of the user's own.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        owner = User.objects.filter(username=options["user"], is_active=True).first()
        if owner is None:
            raise CommandError(f"There is no user {options['user']!r}.")
        try:
            cpu, memory, idle = options["cpu"], options["memory"], options["idle_timeout"]
            choices = services.Choices(
                display_name=options["name"],
                cpu_millicores=parse_cpu(cpu) if cpu else None,
                memory_mib=parse_memory(memory) if memory else None,
                persistent_home=not options["no_home"],
                idle_timeout=parse_duration(idle) if idle else None,
            )
            session = services.launch(owner, options["template"], choices)
        except UserError as error:
            raise CommandError(error.message) from None
        except ValueError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(session.name)
