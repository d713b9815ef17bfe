"""Profile folders of programs that allow one instance per profile (browsers above all).

A session holds its profile by a file lock, which ends with the keeper however that ends. So
what a killed program left in it can be told from a profile in use: Chromium's ``SingletonLock``
names a host and a pid, and both may be another's by now. Two sessions that share a home get
a profile each.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

PARENT = Path(".config/streamspace")
MOST_PROFILES = 64
_LEFTOVERS = ("SingletonLock", "SingletonSocket", "SingletonCookie", "lock", ".parentlock")

_FIREFOX_PREFERENCES = """\
// Written once by StreamSpace; yours to change.
// A session that hibernates ends the browser: continue without asking.
user_pref("browser.startup.page", 3);
user_pref("browser.sessionstore.resume_from_crash", true);
user_pref("browser.sessionstore.max_resumed_crashes", -1);
user_pref("toolkit.startup.max_resumed_crashes", -1);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("browser.aboutwelcome.enabled", false);
user_pref("datareporting.policy.dataSubmissionPolicyBypassNotification", true);
"""


class Profile:
    """A profile folder that nobody else uses until this process ends."""

    def __init__(self, home: Path, program: str) -> None:
        """Take the first free profile of ``program``. Raises OSError when none can be had."""
        parent = home / PARENT
        parent.mkdir(parents=True, exist_ok=True)
        self.path = Path()
        for number in range(1, MOST_PROFILES + 1):
            path = parent / (program if number == 1 else f"{program}-{number}")
            lock = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                continue
            self._lock = lock  # stays open, and with it the lock, as long as the keeper lives
            self.path = path
            self._prepare(program)
            return
        raise OSError(f"all {MOST_PROFILES} profiles of {program} are in use")

    def clear(self) -> None:
        """Remove what the program leaves behind when it is ended rather than closed."""
        with suppress(OSError):
            # Chromium keeps its socket in a folder of its own below /tmp.
            folder = (self.path / "SingletonSocket").readlink().parent
            if folder.name.startswith("org.chromium.") and folder.lstat().st_uid == os.geteuid():
                for entry in folder.iterdir():
                    entry.unlink()
                folder.rmdir()
        for name in _LEFTOVERS:
            with suppress(OSError):
                (self.path / name).unlink()

    def _prepare(self, program: str) -> None:
        self.path.mkdir(mode=0o700, exist_ok=True)
        self.clear()
        preferences = self.path / "user.js"
        if program.startswith("firefox") and not preferences.exists():
            preferences.write_text(_FIREFOX_PREFERENCES, encoding="utf-8")
