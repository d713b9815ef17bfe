"""Whether more fits into an owner's quota, and in words what to do when it does not."""

from __future__ import annotations

from streamspace.accounts.models import User
from streamspace.accounts.quotas import RESOURCE_WORDS, Excess, Use, excesses, limits_of
from streamspace.errors import QuotaExceeded

from .choices import DesiredState, Phase
from .models import Session
from .selectors import use_of


def check(owner: User, added: Use) -> None:
    """Raise QuotaExceeded when ``added`` would break a limit. The caller holds the owner's lock.

    The details name every broken limit, and up to five sessions whose hibernation makes room.
    """
    found = _excesses(owner, added)
    if not found:
        return
    running = (
        Session.objects.filter(owner=owner, desired_state=DesiredState.RUNNING)
        .exclude(phase=Phase.FAILED)
        .order_by("last_activity_at")
        .values_list("name", "display_name")
    )
    candidates = [{"name": name, "display_name": title} for name, title in running[:5]]
    raise QuotaExceeded(
        f"{_sentence(found[0])} {_way_out(found[0], candidates)}",
        details={"exceeded": [e.as_dict() for e in found], "could_hibernate": candidates},
    )


def broken(owner: User, added: Use) -> list[str]:
    """Sentences for the limits that ``added`` would break now; empty when it fits."""
    return [_sentence(excess) for excess in _excesses(owner, added)]


def _excesses(owner: User, added: Use) -> list[Excess]:
    return excesses(limits_of(owner), use_of(owner), added)


def _way_out(excess: Excess, candidates: list[dict[str, str]]) -> str:
    if excess.requested > excess.limit or excess.resource == "storage_mib":
        return "Ask your operator for more."
    if excess.resource == "sessions":
        return "Terminate a session you no longer need and try again."
    if not candidates:
        return "Ask your operator for more."
    title = candidates[0]["display_name"]
    return f"Hibernate a running session, for example {title!r}, and try again."


def _sentence(excess: Excess) -> str:
    word, amount = RESOURCE_WORDS[excess.resource]
    return (
        f"Your quota for {word} is {amount(excess.limit)}: {amount(excess.used)} in use, "
        f"{amount(excess.requested)} more asked for."
    )
