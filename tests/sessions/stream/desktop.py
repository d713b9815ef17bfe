"""A small real desktop: Xvnc on a unix socket, as a session's runtime starts it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.sessions.stream.conftest import wait_until


class Desktop:
    """Xvnc with nothing on it; programs are added."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = str(folder / "rfb.sock")
        self.programs: list[subprocess.Popen[bytes]] = []
        reader, writer = os.pipe()
        command = [
            *("Xvnc", "-displayfd", str(writer), "-rfbunixpath", self.socket, "-rfbunixmode"),
            *("0600", "-rfbport", "-1", "-SecurityTypes", "None", "-nolisten", "tcp"),
            *("-AlwaysShared", "-geometry", "640x480", "-depth", "24"),
        ]
        self.server = subprocess.Popen(
            command, pass_fds=[writer], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(writer)
        with os.fdopen(reader) as pipe:
            self.display = f":{pipe.readline().strip()}"
        wait_until(lambda: Path(self.socket).exists(), "Xvnc's socket")

    @staticmethod
    def missing() -> list[str]:
        wanted = ("Xvnc", "xterm", "xdotool", "xclip")
        return [name for name in wanted if shutil.which(name) is None]

    @property
    def endpoint(self) -> dict[str, str]:
        return {"kind": "rfb", "socket": self.socket}

    def start(self, *command: str) -> None:
        self.programs.append(
            subprocess.Popen(
                command,
                env={**os.environ, "DISPLAY": self.display},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )

    def run(self, *command: str, text: str | None = None) -> str:
        done = subprocess.run(
            command,
            env={**os.environ, "DISPLAY": self.display},
            input=text,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            timeout=10,
            check=False,
        )
        return done.stdout

    def copy(self, text: str) -> None:
        """Put text into the desktop's clipboard; xclip stays to serve it."""
        subprocess.run(
            ["xclip", "-selection", "clipboard"],
            env={**os.environ, "DISPLAY": self.display},
            input=text.encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=10,
            check=True,
        )

    def clipboard(self) -> str:
        return self.run("timeout", "2", "xclip", "-o", "-selection", "clipboard")

    def typing(self) -> Path:
        """A terminal under the pointer that writes each line typed to the returned file."""
        typed = self.folder / "typed"
        self.start("xterm", "-geometry", "100x40+0+0", "-e", f"cat > {typed}")
        found = wait_until(
            lambda: self.run("xdotool", "search", "--onlyvisible", "--class", "xterm"), "xterm"
        )
        self.run("xdotool", "mousemove", "100", "100", "windowfocus", "--sync", found.split()[0])
        wait_until(typed.exists, "the terminal's shell")
        return typed

    def close(self) -> None:
        for process in [*self.programs, self.server]:
            process.kill()
            process.wait()
