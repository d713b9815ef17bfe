"""``manage.py list_sessions``."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db.models import QuerySet

from sessions.models import Session
from sessions.selectors import live

_HEADER = ("NAME", "OWNER", "TEMPLATE", "STATE", "REASON", "CREATED")


class Command(BaseCommand):
    """List sessions as a table or as JSON."""

    help = "List sessions, newest first. Terminated ones only with --all."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--user", help="Only this user's.")
        parser.add_argument("--all", action="store_true", help="Terminated ones too.")
        parser.add_argument("--json", action="store_true", help="One JSON array, for programs.")

    def handle(self, *args: Any, **options: Any) -> None:
        sessions: QuerySet[Session] = Session.objects.select_related("owner", "revision")
        if not options["all"]:
            sessions = live(sessions)
        if options["user"]:
            sessions = sessions.filter(owner__username=options["user"])
        rows = [self._row(session) for session in sessions.iterator()]
        if options["json"]:
            keys = [title.lower() for title in _HEADER]
            self.stdout.write(
                json.dumps([dict(zip(keys, row, strict=True)) for row in rows], indent=2)
            )
            return
        if not rows:
            self.stdout.write("No sessions.")
            return
        table = [_HEADER, *rows]
        widths = [max(len(row[column]) for row in table) for column in range(len(_HEADER))]
        for row in table:
            line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self.stdout.write(line.rstrip())

    @staticmethod
    def _row(session: Session) -> tuple[str, ...]:
        return (
            session.name,
            session.owner.username,
            session.revision.template_name,
            session.display_state.label,
            session.explanation.get("reason", ""),
            session.created_at.isoformat(timespec="seconds"),
        )
