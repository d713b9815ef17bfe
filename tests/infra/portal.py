"""The real portal, as ``make run`` starts it, in a folder and on a port of its own."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streamspace.config import variables
from tests.infra.programs import end_all_naming, free_port, spawn, tail, wait_until

ROOT = Path(__file__).resolve().parents[2]
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Answer:
    """An HTTP answer of any status."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Portal:
    """The all-in-one process. Sessions outlive it on purpose, so ``close`` ends them as well."""

    folder: Path
    port: int
    settings: dict[str, str]
    process: subprocess.Popen[bytes] | None = None
    admin_password: str = field(default_factory=lambda: secrets.token_urlsafe(12))

    @classmethod
    def start(cls, settings: Mapping[str, str] | None = None) -> Portal:
        """Start it with a new data folder; ``settings`` are further environment variables."""
        # Short: sockets live below it, and a socket's path has at most 107 bytes.
        portal = cls(Path(tempfile.mkdtemp(prefix="ss-p-")), free_port(), dict(settings or {}))
        # What `make apps` installed is looked for beside the data folder.
        (portal.folder / ".apps").symlink_to(ROOT / ".apps")
        try:
            portal.resume()
        except BaseException as problem:
            problem.add_note(portal.log())
            portal.close()
            raise
        return portal

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def data_dir(self) -> Path:
        return self.folder / "data"

    def environ(self) -> dict[str, str]:
        """The environment of the portal's processes: nothing of the developer's settings."""
        ours = set(variables()) | {f"{name}_FILE" for name in variables()}
        rest = {name: value for name, value in os.environ.items() if name not in ours}
        # Left to itself the product must choose its settings, also in a test process.
        rest.pop("DJANGO_SETTINGS_MODULE", None)
        return {
            **rest,
            "STREAMSPACE_DATA_DIR": str(self.data_dir),
            "STREAMSPACE_PORT": str(self.port),
            "STREAMSPACE_ADMIN_PASSWORD": self.admin_password,
            "PYTHONUNBUFFERED": "1",
            **self.settings,
        }

    def resume(self, timeout: float = 60) -> None:
        """Start the process (again) on the same data and wait until it answers."""
        self.process = spawn(
            [sys.executable, "manage.py", "run"],
            log=self.folder / "log",
            env=self.environ(),
            cwd=ROOT,
        )
        wait_until(self._answers, timeout=timeout, what="the portal to answer")

    def _answers(self) -> bool:
        if self.process is not None and self.process.poll() is not None:
            raise RuntimeError(f"the portal ended with status {self.process.returncode}")
        try:
            return self.request("/api/v1/health", timeout=5).status == 200
        except OSError:
            return False

    def kill(self) -> None:
        """End it without warning, as a crash or a power cut would; sessions go on."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def interrupt(self, timeout: float = 20) -> int:
        """Press Ctrl-C and wait; the exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout)

    def restart(self) -> None:
        self.kill()
        self.resume()

    def close(self) -> None:
        """End it and everything that it started, and remove its folder."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        end_all_naming(str(self.folder))
        shutil.rmtree(self.folder, ignore_errors=True)

    def request(
        self,
        path: str,
        *,
        method: str = "GET",
        body: Any = None,
        token: str = "",
        headers: Mapping[str, str] | None = None,
        timeout: float = 20,
    ) -> Answer:
        """Send one HTTP request, ``body`` as JSON; redirects are followed."""
        fields = {"Accept": "application/json", **(headers or {})}
        if token:
            fields["Authorization"] = f"Bearer {token}"
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            fields.setdefault("Content-Type", "application/json")
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", data=data, headers=fields, method=method
        )
        request.add_header("Host", f"localhost:{self.port}")
        try:
            with _opener.open(request, timeout=timeout) as answer:
                return Answer(answer.status, dict(answer.headers), answer.read())
        except urllib.error.HTTPError as refused:
            with refused:
                return Answer(refused.code, dict(refused.headers), refused.read())

    def manage(self, *arguments: str, stdin: str = "", timeout: float = 60) -> str:
        """Run a management command on the portal's data; its output. Fails as the command does."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environ(),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout

    def log(self, lines: int = 80) -> str:
        return tail(self.folder / "log", lines)
