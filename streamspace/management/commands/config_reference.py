"""``manage.py config_reference``: the reference page of every setting, from the code."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from django.core.management.base import BaseCommand
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from streamspace.config import BASE_DIR, format_duration, variables

_HEAD = """\
# Configuration

Settings are environment variables, read once at start. A value that does not parse stops the
start with one line, and so does a `STREAMSPACE_*` variable that is not listed here. For secrets,
`<NAME>_FILE` may name a file that holds the value instead.

This page is printed by `./manage.py config_reference`; change `streamspace/config.py`, not it.

| variable | default | unit | what for |
|---|---|---|---|
"""


class Command(BaseCommand):
    """Print docs/reference/configuration.md."""

    help = "Print the configuration reference (docs/reference/configuration.md) as Markdown."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        rows = "".join(_row(name, field) for name, field in variables().items())
        self.stdout.write(_HEAD + rows, ending="")


def _row(name: str, field: FieldInfo) -> str:
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    unit = str(extra.get("unit") or "")
    if get_origin(field.annotation) is Literal:
        unit = ", ".join(f"`{value}`" for value in get_args(field.annotation))
    note = " (secret)" if field.annotation is SecretStr else ""
    return f"| `{name}`{note} | {_default(field)} | {unit} | {field.description} |\n"


def _default(field: FieldInfo) -> str:
    value = field.default
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, timedelta):
        value = format_duration(value)
    if isinstance(value, Path):
        value = value.relative_to(BASE_DIR) if value.is_relative_to(BASE_DIR) else value
    if isinstance(value, bool):
        value = str(value).lower()
    return f"`{value}`" if value not in ("", ()) else "empty"
