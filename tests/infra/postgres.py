"""A PostgreSQL server for tests: new data folder, unix socket only, durability off."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.sql import SQL, Identifier

from tests.infra.programs import find, spawn, stop, tail, wait_until

_DEBIAN = "/usr/lib/postgresql/*/bin"
ROLE = "streamspace"


@dataclass(frozen=True)
class PostgresServer:
    """A running server. ``folder`` holds its socket, data and log."""

    folder: Path
    process: subprocess.Popen[bytes]

    @classmethod
    def start(cls) -> PostgresServer:
        """Raises MissingProgram where PostgreSQL is not installed."""
        initdb = find("initdb", package="postgresql", also_in=_DEBIAN)
        server = find("postgres", package="postgresql", also_in=_DEBIAN)
        # The server refuses to run as root; Debian's package brings the user.
        user = "postgres" if os.geteuid() == 0 else None
        folder = Path(tempfile.mkdtemp(prefix="ss-pg-"))
        if user:
            shutil.chown(folder, user, user)
        log = folder / "log"
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        try:
            subprocess.run(
                [
                    initdb,
                    "-D",
                    folder / "data",
                    "-U",
                    ROLE,
                    "--auth=trust",
                    "--no-sync",
                    "-E",
                    "UTF8",
                ],
                check=True,
                capture_output=True,
                text=True,
                cwd=folder,
                env=environment,
                user=user,
                group=user,
                extra_groups=[] if user else None,
            )
            options = {
                "listen_addresses": "",
                "unix_socket_directories": str(folder),
                "fsync": "off",
                "synchronous_commit": "off",
                "full_page_writes": "off",
                "max_connections": "200",
                "log_min_duration_statement": "-1",
            }
            flags = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
            process = spawn(
                [server, "-D", folder / "data", *flags],
                log=log,
                env=environment,
                cwd=folder,
                user=user,
            )
            started = cls(folder, process)
            wait_until(started._answers, timeout=20, what="PostgreSQL to answer")
        except BaseException as problem:
            problem.add_note(tail(log))
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return started

    def _answers(self) -> bool:
        if self.process.poll() is not None:
            raise RuntimeError(f"PostgreSQL ended with status {self.process.returncode}")
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        return psycopg.connect(
            host=str(self.folder), user=ROLE, dbname=database, autocommit=True, connect_timeout=5
        )

    def create_database(self, name: str) -> None:
        with self.connect() as connection:
            connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))

    def environ(self, database: str = "streamspace") -> dict[str, str]:
        """The product's variables for a database of this server."""
        return {
            "DB_HOST": str(self.folder),
            "DB_USER": ROLE,
            "DB_NAME": database,
            "DB_PASSWORD": "unused",
            "DB_SSLMODE": "disable",
        }

    def stop(self) -> None:
        stop(self.process, signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)
