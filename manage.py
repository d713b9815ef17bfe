#!/usr/bin/env python3
"""Django's command line for StreamSpace: ``./manage.py help`` lists the commands."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

VENV_PYTHON = Path(__file__).resolve().parent / ".venv" / "bin" / "python"


def main() -> None:
    if find_spec("django") is None:
        _use_the_virtual_environment()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "streamspace.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


def _use_the_virtual_environment() -> None:
    """Run again with the interpreter that ``make run`` set up; never returns."""
    if not VENV_PYTHON.exists() or sys.prefix == str(VENV_PYTHON.parent.parent):
        sys.exit("streamspace: Django is not installed; `make run` sets everything up.")
    os.execv(VENV_PYTHON, [str(VENV_PYTHON), *sys.argv])  # noqa: S606 (no shell, our own file)


if __name__ == "__main__":
    main()
