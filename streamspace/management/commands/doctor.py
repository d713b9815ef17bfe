"""``manage.py doctor``."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from streamspace.doctor import Level, examine


class Command(BaseCommand):
    """Examine the installation; exits with 1 when there is an error."""

    help = (
        "Check the database, Redis, the data folder, browser assets, session host names and "
        "templates. Each finding has a code and says what to do. Changes nothing. Exits with 1 "
        "when there is an error, with 0 when there are warnings at most."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="One JSON array, for programs.")

    def handle(self, *args: Any, **options: Any) -> None:
        findings = examine()
        if options["json"]:
            self.stdout.write(json.dumps([f.as_json() for f in findings], indent=2))
        else:
            paint = {
                Level.OK: self.style.SUCCESS,
                Level.WARNING: self.style.WARNING,
                Level.ERROR: self.style.ERROR,
            }
            for finding in findings:
                word = paint[finding.level](finding.level.upper().ljust(8))
                self.stdout.write(f"{finding.code} {word}{finding.message}")
                if finding.remedy:
                    self.stdout.write(f"               {finding.remedy}")
        if any(f.level is Level.ERROR for f in findings):
            sys.exit(1)
