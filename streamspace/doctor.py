"""What an operator would check first, as code: each finding has a code and a remedy.

A check returns what it found and changes nothing. Codes are stable, so that a page of the
documentation or a script can refer to them.
"""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from django.conf import settings
from django.contrib.staticfiles import finders
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from controller.runtimes import current_runtime
from controller.specs import template_spec
from templates_app.models import Template

LOW_SPACE_MIB = 1024


class Level(StrEnum):
    """How bad it is: ``error`` keeps people from working."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's report."""

    code: str
    level: Level
    message: str
    remedy: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


Check = Callable[[], Iterator[Finding]]


def examine() -> list[Finding]:
    """Run every check; one that cannot run is itself a finding."""
    findings: list[Finding] = []
    for check in CHECKS:
        try:
            findings += check()
        except Exception as error:  # noqa: BLE001 (the report must reach its end)
            findings.append(
                Finding("SS000", Level.ERROR, f"The check {check.__name__} broke: {error}")
            )
    return findings


def database() -> Iterator[Finding]:
    """SS1xx: the database answers and has this version's tables."""
    vendor = connection.vendor
    try:
        connection.ensure_connection()
        plan = MigrationExecutor(connection)
        missing = plan.migration_plan(plan.loader.graph.leaf_nodes())
    except DatabaseError as error:
        yield Finding(
            "SS101",
            Level.ERROR,
            f"The {vendor} database does not answer: {str(error).splitlines()[0]}",
            "Check the DB_* variables and that the server runs.",
        )
        return
    if missing:
        yield Finding(
            "SS102",
            Level.ERROR,
            f"{len(missing)} migrations are not applied.",
            "Run `./manage.py migrate`, or start with `make run`, which does it.",
        )
    else:
        yield Finding("SS100", Level.OK, f"The {vendor} database answers and is up to date.")


def redis() -> Iterator[Finding]:
    """SS2xx: Redis, where it is used."""
    if settings.STREAMSPACE.embedded:
        yield Finding("SS200", Level.OK, "One process, no Redis needed.")
        return
    from redis import Redis, RedisError

    url = settings.STREAMSPACE.redis_url.get_secret_value()
    try:
        Redis.from_url(url, socket_connect_timeout=3, socket_timeout=3).ping()
    except RedisError as error:
        yield Finding(
            "SS201",
            Level.ERROR,
            f"Redis does not answer: {type(error).__name__}.",
            "Check REDIS_URL and that the server runs. Launches wait in the database meanwhile.",
        )
    else:
        yield Finding("SS200", Level.OK, "Redis answers.")


def data_folder() -> Iterator[Finding]:
    """SS3xx: the folder that holds homes and, with SQLite, the database."""
    folder = settings.STREAMSPACE.data_dir
    if not os.access(folder, os.W_OK | os.X_OK):
        yield Finding(
            "SS301",
            Level.ERROR,
            f"The data folder {folder} cannot be written.",
            "Give it to the user who runs StreamSpace, or set STREAMSPACE_DATA_DIR.",
        )
        return
    free = shutil.disk_usage(folder).free // 2**20
    if free < LOW_SPACE_MIB:
        yield Finding(
            "SS302",
            Level.WARNING,
            f"Only {free} MiB are free in {folder}.",
            "Make room: sessions cannot start and files cannot be saved on a full disk.",
        )
    else:
        yield Finding("SS300", Level.OK, f"The data folder {folder} has {free} MiB free.")


def browser_assets() -> Iterator[Finding]:
    """SS4xx: what the browser loads."""
    needed = ("vendor/novnc/core/rfb.js", "vendor/htmx/dist/htmx.min.js")
    missing = [path for path in needed if finders.find(path) is None]
    if missing:
        yield Finding(
            "SS401",
            Level.ERROR,
            f"Browser assets are missing: {', '.join(missing)}.",
            "Start with `make run`, which fetches them.",
        )
    else:
        yield Finding("SS400", Level.OK, "The browser's assets are there.")


def names() -> Iterator[Finding]:
    """SS5xx: a session's own host name leads here."""
    domain = settings.STREAMSPACE.ingress_domain
    if domain == "localhost":
        yield Finding("SS500", Level.OK, "Browsers resolve *.localhost by themselves.")
        return
    host = f"streamspace-doctor.{domain}"
    try:
        socket.getaddrinfo(host, None)
    except OSError:
        yield Finding(
            "SS501",
            Level.ERROR,
            f"*.{domain} does not resolve.",
            f"Add a wildcard DNS record for *.{domain} that leads to the ingress.",
        )
    else:
        yield Finding("SS500", Level.OK, f"*.{domain} resolves.")


def templates() -> Iterator[Finding]:
    """SS6xx: what can be launched here."""
    runtime = current_runtime()
    launchable = 0
    catalogue = list(Template.objects.select_related("current_revision").filter(enabled=True))
    for template in catalogue:
        if template.current_revision is None:
            continue
        found = runtime.availability(template_spec(template.name, template.current_revision.spec))
        if found.launchable:
            launchable += 1
        else:
            message = f"{template.display_name} cannot be launched: {found.message}"
            yield Finding("SS602", Level.WARNING, message, found.remedy)
    if launchable:
        yield Finding("SS600", Level.OK, f"{launchable} of {len(catalogue)} templates launch here.")
    else:
        yield Finding(
            "SS601",
            Level.ERROR,
            "No template can be launched here.",
            "Install what the warnings name, or `./manage.py import_templates k8s/templates`.",
        )


CHECKS: tuple[Check, ...] = (database, redis, data_folder, browser_assets, names, templates)
