"""What a launch or a rename asks for, checked. Functions return the value or raise UserError."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings

from streamspace.config import format_duration, parse_duration
from streamspace.errors import Conflict, NotFound, UserError
from templates_app.models import Template, TemplateRevision

MIN_IDLE_TIMEOUT = timedelta(minutes=1)
MAX_AMOUNT = 1_000_000_000
"""Of CPU and memory; the database's integers end at twice that."""
LONGEST = timedelta(days=365)
"""Far beyond use, and far from the end of the calendar, where adding it to a date fails."""


def launchable(name: str) -> tuple[Template, TemplateRevision]:
    """The template of that name and its current revision.

    Raises NotFound (``template_not_found``), Conflict (``template_unavailable``).
    """
    template = Template.objects.select_related("current_revision").filter(name=name).first()
    if template is None or template.current_revision is None:
        raise NotFound(
            f"There is no template {name!r}; the catalogue lists those that exist.",
            code="template_not_found",
            details={"template": name},
        )
    if not template.launchable:
        reason, message = _why_not(template)
        raise Conflict(
            message, code="template_unavailable", details={"template": name, "reason": reason}
        )
    return template, template.current_revision


def _why_not(template: Template) -> tuple[str, str]:
    if not template.enabled:
        return "Disabled", f"{template.display_name} was switched off by an operator."
    found = template.availability
    if not found:
        return "NotChecked", (
            f"{template.display_name} is new here and is being checked; try again in a minute."
        )
    words = [found.get("message") or "It cannot be launched now.", found.get("remedy")]
    return found.get("reason", ""), " ".join(filter(None, words))


def amount(field: str, chosen: int | None, default: int) -> int:
    """CPU or memory: what was chosen, else the template's."""
    value = default if chosen is None else chosen
    if not 1 <= value <= MAX_AMOUNT:
        raise UserError(f"{field} must lie between 1 and {MAX_AMOUNT}.", details={"field": field})
    return value


def title(text: str) -> str:
    """A name for people: one printable line."""
    name = " ".join(text.split())
    if not 1 <= len(name) <= 100:
        raise UserError(
            "A session's name has between 1 and 100 characters.", details={"field": "display_name"}
        )
    if not name.isprintable():
        raise UserError(
            "A session's name has no control characters.", details={"field": "display_name"}
        )
    return name


def duration(text: object) -> timedelta | None:
    """A duration of a spec, within what can be reckoned with; None where it says nothing."""
    if not isinstance(text, str) or not text:
        return None
    return min(parse_duration(text), LONGEST) or None


def idle_timeout(chosen: timedelta | None, revision: TemplateRevision) -> timedelta:
    """What was chosen, else the template's, else the installation's."""
    if chosen is not None:
        if not MIN_IDLE_TIMEOUT <= chosen <= LONGEST:
            raise UserError(
                f"The idle timeout lies between {format_duration(MIN_IDLE_TIMEOUT)} and "
                f"{format_duration(LONGEST)}.",
                details={"field": "idle_timeout"},
            )
        return chosen
    return duration(revision.spec.get("idleTimeout")) or settings.STREAMSPACE.idle_timeout
