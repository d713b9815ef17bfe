"""Which programs are installed, what the template's command becomes, and what its card says."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence

from controller.runtimes.base import Availability, LocalProgram, RuntimeProblem, TemplateSpec

SYSTEM_PATH = (
    "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games:/usr/local/sbin:/usr/sbin:/sbin"
)
DISPLAY_SERVERS = ("Xvnc", "Xtigervnc")
WINDOW_MANAGER = "openbox"
PANEL = "tint2"
DISPLAY_REMEDY = "Install it with `sudo apt install tigervnc-standalone-server openbox`."
PANEL_REMEDY = "Install it with `sudo apt install tint2`."
_ROOT_ONLY = re.compile(r"\{root:(.*)\}")


class Programs:
    """Looks programs up, in extra folders first and then where the portal itself would."""

    def __init__(self, extra: Sequence[os.PathLike[str]] = ()) -> None:
        folders = [os.path.abspath(folder) for folder in extra]
        for path in (os.environ.get("PATH", ""), SYSTEM_PATH):
            # A relative folder would mean another one to each process.
            folders += [f for f in path.split(os.pathsep) if os.path.isabs(f) and f not in folders]
        self.path = os.pathsep.join(folders)
        """The ``PATH`` of session programs."""

    def find(self, *names: str) -> str | None:
        """Path of the first of ``names`` that is installed."""
        found = (shutil.which(name, path=self.path) for name in names)
        return next((path for path in found if path), None)

    def availability(self, template: TemplateSpec) -> Availability:
        """Whether the template can be launched, and else in words what is missing."""
        program = template.local
        if program is None or not program.command:
            return Availability(
                False,
                "NotForThisRuntime",
                f"{template.display_name} runs from a container image only.",
                "Use a StreamSpace that runs on Kubernetes, or add a local program to the"
                " template.",
            )
        has_display = self.find(*DISPLAY_SERVERS) and self.find(WINDOW_MANAGER)
        if template.app_type == "desktop" and not has_display:
            return Availability(
                False,
                "DisplayNotInstalled",
                "The display server or window manager is not installed on this machine.",
                DISPLAY_REMEDY,
            )
        missing = self._missing(program)
        if missing:
            return Availability(
                False,
                "ProgramNotInstalled",
                f"{missing} is not installed on this machine.",
                program.install or (PANEL_REMEDY if missing == PANEL else ""),
            )
        return Availability(True)

    def require(self, template: TemplateSpec) -> LocalProgram:
        """The template's program, once everything it needs is there. Raises RuntimeProblem."""
        availability = self.availability(template)
        if template.local is None or not availability.launchable:
            sentence = f"{availability.message} {availability.remedy}".strip()
            raise RuntimeProblem(availability.reason, sentence)
        return template.local

    def command(self, program: LocalProgram, values: Mapping[str, str]) -> list[str]:
        """argv with its placeholders filled in and its program found."""
        words: list[str] = []
        for word in program.command:
            root_only = _ROOT_ONLY.fullmatch(word)
            if root_only and os.geteuid() != 0:
                continue
            word = root_only[1] if root_only else word
            for key, value in values.items():
                word = word.replace(f"{{{key}}}", value)
            words.append(word)
        words[0] = self.find(words[0]) or words[0]
        return words

    def _missing(self, program: LocalProgram) -> str | None:
        needed = [program.command[0], *program.requires, *([PANEL] if program.panel else [])]
        return next((name for name in needed if not self.find(name)), None)
