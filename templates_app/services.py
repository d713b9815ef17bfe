"""Writes to the catalogue: manifests become templates and revisions."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog
from django.db import transaction
from django.db.models import Max

from streamspace.errors import UserError

from . import icons, manifests
from .choices import Source
from .metrics import VALIDATIONS
from .models import Template, TemplateRevision

log = structlog.get_logger(__name__)


@dataclass
class ImportReport:
    """What an import did: names per outcome, and problems as ``file: problem``."""

    created: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def content_hash(spec: dict[str, Any]) -> str:
    """SHA-256 of the spec's canonical JSON: equal specs have equal hashes."""
    canonical = json.dumps(spec, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def import_path(path: Path) -> ImportReport:
    """Import a manifest file, or every ``*.yaml`` and ``*.yml`` below a folder.

    Raises UserError (``path_not_found``); problems inside files are reported, not raised.
    """
    if not path.exists():
        raise UserError(f"{path} does not exist.", code="path_not_found")
    found = [*path.rglob("*.yaml"), *path.rglob("*.yml")] if path.is_dir() else [path]
    files = sorted(file for file in found if not file.is_dir())
    report = ImportReport()
    seen: dict[str, Path] = {}
    for file in files:
        _import_file(file, report, seen)
    return report


def _import_file(file: Path, report: ImportReport, seen: dict[str, Path]) -> None:
    try:
        text = _read(file, manifests.MAX_BYTES)
    except (OSError, ValueError) as error:
        report.problems.append(f"{file}: cannot be read: {error}")
        VALIDATIONS.labels("invalid").inc()
        return
    found, problems = manifests.parse(text)
    VALIDATIONS.labels("valid").inc(len(found))
    VALIDATIONS.labels("invalid").inc(len(problems))
    report.problems += [f"{file}: {problem}" for problem in problems]
    for manifest in found:
        if manifest.name in seen:
            report.problems.append(
                f"{file}: line {manifest.line}, metadata.name: {manifest.name} is also in "
                f"{seen[manifest.name]}; give one of them another name"
            )
            continue
        seen[manifest.name] = file
        icon = _icon_beside(file, manifest, report)
        outcome = put(manifest.name, manifest.spec, source=Source.FILE, origin=file.name, icon=icon)
        getattr(report, outcome).append(manifest.name)


def _read(file: Path, longest: int) -> str:
    """A catalogue's file as text; ValueError for what is none. A catalogue may be a stranger's:
    nothing is waited for (a pipe) nor loaded (a disk image) that cannot be a manifest."""
    if not file.is_file():
        raise ValueError("it is not a file")
    with file.open("rb") as stream:
        data = stream.read(longest + 1)
    if len(data) > longest:
        raise ValueError(f"it is larger than {longest // 1024} KiB")
    return data.decode("utf-8-sig")


def _icon_beside(file: Path, manifest: manifests.Manifest, report: ImportReport) -> str | None:
    """The icon that the manifest names: empty when it names none, None (leave what is) when that
    cannot be had."""
    name = manifest.spec.get("icon", "")
    if not name:
        return ""
    path = file.parent / name
    try:
        # Only files of the catalogue itself, wherever the manifest points.
        if path.resolve().parent != file.parent.resolve():
            raise ValueError("the icon must lie beside the manifest")
        return icons.sanitise(_read(path, icons.MAX_BYTES))
    except (OSError, ValueError) as error:
        report.problems.append(f"{file}: line {manifest.line}, spec.icon: {name}: {error}")
        return None


@transaction.atomic
def put(
    name: str,
    spec: dict[str, Any],
    *,
    source: Source,
    origin: str = "",
    icon: str | None = None,
) -> str:
    """Make ``spec`` (already validated) the current revision of the template ``name``.

    Identity, favourites and running sessions stay as they are. Returns ``created``, ``updated``
    or ``unchanged``; nothing is written for the last.
    """
    # Made first, locked then: two imports of a new template at once must not both make it.
    _, created = Template.objects.get_or_create(
        name=name, defaults={"display_name": spec["displayName"]}
    )
    template = Template.objects.select_for_update().get(name=name)
    digest = content_hash(spec)
    revision = template.revisions.filter(content_hash=digest).first()
    if revision is None:
        last = template.revisions.aggregate(last=Max("number"))["last"] or 0
        revision = TemplateRevision.objects.create(
            template=template,
            template_name=name,
            number=last + 1,
            content_hash=digest,
            spec=spec,
            source=source,
            origin=origin,
        )
    new_icon = template.icon if icon is None else icon
    if template.current_revision_id == revision.pk and template.icon == new_icon:
        return "unchanged"
    if template.current_revision_id != revision.pk:
        # Unknown until the controller has looked at the new spec.
        template.availability = {}
    template.current_revision = revision
    template.display_name = spec["displayName"]
    template.description = spec.get("description", "").strip()
    template.category = spec.get("category") or "Other"
    template.tags = spec.get("tags", [])
    template.app_type = spec["appType"]
    template.icon = new_icon
    template.save()
    return "created" if created else "updated"
