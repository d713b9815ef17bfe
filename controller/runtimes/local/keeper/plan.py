"""What the runtime tells the keeper to start; a JSON file between two processes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal, TypedDict, cast

PROGRAM = "from keeper.main import main; main()"
"""What Python is to run; the keeper's command line is recognised by it."""
PLAN_FILE = "plan.json"
LOCK_FILE = "keeper.lock"
APPLICATION_LOG = "application.log"
DISPLAY_LOG = "display.log"
RFB_SOCKET = "rfb.sock"
HTTP_SOCKET = "http.sock"
AUTHORITY_FILE = "Xauthority"


class Plan(TypedDict):
    """One attempt. Commands are complete but for ``{profile}`` in the application's."""

    attempt: int
    kind: Literal["rfb", "http"]
    state_file: str
    run_folder: str
    home: str
    environment: dict[str, str]
    """Complete, but for ``DISPLAY``."""
    display: list[str]
    """Empty for web applications."""
    window_manager: list[str]
    helpers: list[list[str]]
    """Started beside the application, and again when they end."""
    application: list[str]
    shell: bool
    """The window manager is the application, and ``application`` its first program."""
    profile: str
    """Name of the profile for ``{profile}``."""
    web_path: str
    background: list[list[int]]
    """Colours at the top and the bottom."""


def read_plan(session: Path) -> Plan:
    """The plan in a session's folder. Raises OSError and ValueError."""
    return cast(Plan, json.loads((session / PLAN_FILE).read_bytes()))
