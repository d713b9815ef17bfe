"""What the session commands share."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from sessions.models import Session
from streamspace.errors import UserError


def find(name: str) -> Session:
    """The session of that name; CommandError that says how to list them."""
    session = Session.objects.select_related("owner").filter(name=name).first()
    if session is None:
        raise CommandError(
            f"There is no session {name!r}; `manage.py list_sessions` lists those that exist."
        )
    return session


def each(
    command: BaseCommand, names: list[str], service: Callable[[UUID], Session], done: str
) -> None:
    """Apply ``service`` to each named session; all names are checked before anything is done."""
    failed = 0
    for session in [find(name) for name in names]:
        try:
            service(session.id)
        except UserError as error:
            failed += 1
            command.stderr.write(command.style.ERROR(f"{session.name}: {error.message}"))
        else:
            command.stdout.write(f"{session.name}: {done}")
    if failed:
        raise CommandError(f"{failed} of {len(names)} were refused.")
