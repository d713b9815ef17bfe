"""A local runtime on a folder of its own, and ways to look at its processes from outside."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.runtimes.base import LocalProgram, TemplateSpec
from controller.runtimes.local import LocalRuntime
from controller.runtimes.local.keeper import processes
from tests.controller.runtimes.contract import Workloads

WEB_SERVER = """
import http.server, os, socketserver, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/healthy" else 503)
        self.end_headers()
    def address_string(self):
        return "unix"
class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    def get_request(self):
        return self.socket.accept()[0], ("unix", 0)
Server(sys.argv[1], Handler).serve_forever()
"""


def desktop(*command: str, panel: bool = False, **changes: Any) -> TemplateSpec:
    """A desktop template around a command."""
    values: dict[str, Any] = {"name": "app", "display_name": "App", "app_type": "desktop"}
    return TemplateSpec(**values | {"local": LocalProgram(command, panel=panel)} | changes)


def shell(script: str, *arguments: str, **changes: Any) -> TemplateSpec:
    """A desktop template that runs a shell script."""
    return desktop("sh", "-c", script, "sh", *arguments, **changes)


def webapp(script: str = WEB_SERVER, **changes: Any) -> TemplateSpec:
    """A web application in Python."""
    values: dict[str, Any] = {"app_type": "webapp", "web_path": "/healthy"}
    return desktop(sys.executable, "-c", script, "{socket}", **values | changes)


@pytest.fixture
def workloads() -> Workloads:
    return Workloads(
        desktop=shell("echo hello; exec xterm"),
        webapp=webapp(),
        failing=shell("echo last words; exit 3"),
        absent=desktop("no-such-program"),
        seconds=20,
    )


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def runtime_factory(data_dir: Path) -> Callable[[], LocalRuntime]:
    return lambda: LocalRuntime(data_dir)


class Processes:
    """What runs of a runtime's sessions, as the kernel tells it."""

    def __init__(self, data_dir: Path) -> None:
        self._runtime = LocalRuntime(data_dir)._folders.id

    def of(self, name: str) -> set[processes.Ident]:
        return processes.marked(self._runtime).get(name, set())

    def named(self, name: str, program: str) -> list[processes.Ident]:
        return sorted(p for p in self.of(name) if self.comm(p) == program)

    def all(self) -> set[processes.Ident]:
        return {p for found in processes.marked(self._runtime).values() for p in found}

    @staticmethod
    def comm(process: processes.Ident) -> str:
        try:
            return Path(f"/proc/{process.pid}/comm").read_text().strip()
        except OSError:
            return ""


@pytest.fixture
def running(data_dir: Path) -> Iterator[Processes]:
    """The processes; the test fails when it leaves any behind."""
    found = Processes(data_dir)
    yield found
    assert found.all() == set()


@pytest.fixture
def runtime(data_dir: Path, running: Processes) -> Iterator[LocalRuntime]:
    """Listed after ``running``, so that it is cleaned up before the leftovers are counted."""
    runtime = LocalRuntime(data_dir)
    yield runtime
    for name in runtime.list():
        runtime.remove(name)
