"""``manage.py import_templates``."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from streamspace.errors import UserError
from templates_app.services import import_path


class Command(BaseCommand):
    """Import manifests from files; exits with 1 when any document was refused."""

    help = (
        "Import Template manifests (stream.streamspace.io/v1alpha1) from files or folders. "
        "Documents that are not valid are reported with file, line and field, and do not stop "
        "the others. Running sessions keep the revision they were launched from."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "paths", nargs="+", type=Path, help="A manifest file, or a folder of them."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        refused = 0
        for path in options["paths"]:
            try:
                report = import_path(path)
            except UserError as error:
                raise CommandError(error.message) from None
            for word in ("created", "updated", "unchanged"):
                names = getattr(report, word)
                if names:
                    self.stdout.write(f"{word}: {', '.join(names)}")
            for problem in report.problems:
                self.stderr.write(self.style.ERROR(problem))
            refused += len(report.problems)
        if refused:
            raise CommandError(f"{refused} problems; everything else was imported.")
