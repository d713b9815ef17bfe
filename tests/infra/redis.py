"""A Redis server for tests: loopback port of its own, nothing written to disk."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import redis

from tests.infra.programs import find, free_port, spawn, stop, tail, wait_until


@dataclass
class RedisServer:
    """A server that can be ended and started again, with the same address and empty."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @classmethod
    def start(cls) -> RedisServer:
        """Raises MissingProgram where Redis is not installed."""
        find("redis-server", package="redis-server")
        server = cls(Path(tempfile.mkdtemp(prefix="ss-redis-")), free_port())
        server.resume()
        return server

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def resume(self) -> None:
        """Start it (again)."""
        program = find("redis-server", package="redis-server")
        options = ["--save", "", "--appendonly", "no", "--bind", "127.0.0.1"]
        log = self.folder / "log"
        self.process = spawn(
            [program, "--port", str(self.port), "--dir", str(self.folder), *options], log=log
        )
        wait_until(self._answers, timeout=10, what=f"Redis to answer:\n{tail(log)}")

    def _answers(self) -> bool:
        try:
            with redis.Redis(port=self.port) as client:
                return bool(client.ping())
        except redis.ConnectionError:
            return False

    def pause(self) -> None:
        """End it at once, as a crash would; ``resume`` brings it back empty."""
        if self.process:
            self.process.kill()
            self.process.wait(10)

    def flush(self) -> None:
        with redis.Redis(port=self.port) as client:
            client.flushall()

    def stop(self) -> None:
        if self.process:
            stop(self.process)
        shutil.rmtree(self.folder, ignore_errors=True)
