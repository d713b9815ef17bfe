"""``manage.py run``: every role on this machine in one process."""

from __future__ import annotations

# daphne.server (through streamspace.server) installs Twisted's reactor; first, before anything
# that would install another.
from streamspace.server import Server  # isort:skip

import asyncio
import errno
import fcntl
import os
import secrets
from pathlib import Path
from typing import Any

from channels.layers import get_channel_layer
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from controller import schedule
from streamspace.accounts.models import User
from streamspace.asgi import application
from streamspace.config import BASE_DIR
from streamspace.embedded import Embedded
from streamspace.layers import EmbeddedChannelLayer
from templates_app.services import import_path

CATALOGUE = BASE_DIR / "k8s" / "templates"


class Command(BaseCommand):
    """Prepare what is missing, serve until Ctrl-C, and leave running sessions running."""

    help = (
        "Run the portal, the stream, a worker and the controller in one process on this machine, "
        "with SQLite unless DB_HOST is set. Sessions go on when it stops and are found again by "
        "the next start."
    )
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        config = settings.STREAMSPACE
        lock = _only_one(config.data_dir)
        keep_private(config.data_dir)
        call_command("migrate", verbosity=0, interactive=False)
        self._import_catalogue()
        password = self._first_admin()
        schedule.check_templates()
        embedded = Embedded()
        server = Server(
            application,
            host=config.host,
            port=config.port,
            max_message_bytes=max(config.paste_limit * 1024 * 2, 16 * 1024 * 1024),
            ready=lambda: self._welcome(embedded, password),
        )
        try:
            server.run()
        finally:
            embedded.stop()
            os.close(lock)
        if server.failure is not None:
            raise CommandError(_why_not_listening(server.failure, config.host, config.port))
        self.stdout.write("Stopped. Sessions that were running still are.")

    def _import_catalogue(self) -> None:
        report = import_path(CATALOGUE)
        for problem in report.problems:
            self.stderr.write(self.style.WARNING(problem))

    def _first_admin(self) -> str | None:
        """Make the user ``admin`` when there is no superuser; return a generated password."""
        if User.objects.filter(is_superuser=True).exists():
            return None
        given = settings.STREAMSPACE.admin_password.get_secret_value()
        password = given or secrets.token_urlsafe(12)
        User.objects.create_superuser("admin", password=password)
        return None if given else password

    def _welcome(self, embedded: Embedded, password: str | None) -> None:
        """Called in the server's thread, once it has its sockets."""
        layer = get_channel_layer()
        if isinstance(layer, EmbeddedChannelLayer):
            layer.attach(asyncio.get_event_loop())
        embedded.start()
        self.stdout.write("")
        self.stdout.write(
            self.style.SUCCESS(f"StreamSpace is at {settings.STREAMSPACE.portal_origin}")
        )
        if password is not None:
            self.stdout.write(f"  Sign in as admin with the password {password}")
            self.stdout.write("  It is shown this once; change it under your name, Password.")
        self.stdout.write(
            "  For this machine only, and for one person: sessions run as your own user.\n"
            "  Ctrl-C stops the portal; running sessions go on."
        )
        self.stdout.flush()


def _only_one(data_dir: Path) -> int:
    """Hold the data folder for this process; the descriptor must stay open."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(data_dir / "run.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise CommandError(
            f"StreamSpace already runs on {data_dir}. Stop it first, or set STREAMSPACE_DATA_DIR "
            "and STREAMSPACE_PORT for a second one."
        ) from None
    return descriptor


def keep_private(data_dir: Path) -> None:
    """Let nobody else read the database, whatever the modes of a folder that was there before.

    SQLite makes its files with the mode that the umask leaves, and its journals with the
    database's.
    """
    os.umask(0o077)
    for path in data_dir.glob("streamspace.sqlite3*"):
        path.chmod(0o600)


def _why_not_listening(error: BaseException, host: str, port: int) -> str:
    cause = getattr(error, "socketError", error)
    if getattr(cause, "errno", None) == errno.EADDRINUSE:
        return f"Port {port} is in use; stop what uses it or set STREAMSPACE_PORT."
    return f"Cannot listen on {host}:{port}: {cause}"
