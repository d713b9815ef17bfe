"""Reference pages that are printed by the code equal what it prints today."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

from django.core.management import call_command

from streamspace.config import variables

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "configuration.md"


def test_the_configuration_page_is_what_the_command_prints() -> None:
    printed = StringIO()
    call_command("config_reference", stdout=printed)
    assert PAGE.read_text() == printed.getvalue(), (
        "run: .venv/bin/python manage.py config_reference > docs/reference/configuration.md"
    )


def test_every_setting_says_what_it_is_for() -> None:
    page = PAGE.read_text()
    assert [name for name in variables() if f"`{name}`" not in page] == []
    assert [n for n, field in variables().items() if len(field.description or "") < 15] == []
