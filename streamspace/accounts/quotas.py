"""What a user may have, what they have, and whether more fits. Pure but for the two reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any

from streamspace.quantities import cpu, size

from .models import Quota, User


@dataclass(frozen=True, slots=True)
class Limits:
    """Upper limits; None is unlimited."""

    sessions: int | None = None
    running: int | None = None
    cpu_millicores: int | None = None
    memory_mib: int | None = None
    storage_mib: int | None = None


@dataclass(frozen=True, slots=True)
class Use:
    """What someone has, or what a request would add. Units as in :class:`Limits`."""

    sessions: int = 0
    running: int = 0
    cpu_millicores: int = 0
    memory_mib: int = 0
    storage_mib: int = 0

    def __add__(self, other: Use) -> Use:
        return Use(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(Use)})


@dataclass(frozen=True, slots=True)
class Excess:
    """One limit that a request would break."""

    resource: str
    used: int
    requested: int
    limit: int

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


RESOURCE_WORDS: dict[str, tuple[str, Callable[[int], str]]] = {
    "sessions": ("sessions", str),
    "running": ("running sessions", str),
    "cpu_millicores": ("processors", cpu),
    "memory_mib": ("memory", size),
    "storage_mib": ("storage", size),
}
"""Resource → (word for a sentence, how an amount of it reads)."""


def combine(user: Limits | None, groups: Iterable[Limits], default: Limits | None) -> Limits:
    """One user's limits from the three sources, resource by resource.

    A resource that the user's own quota leaves open is decided by the most generous group quota
    that limits it, and one that those leave open by the default.
    """
    groups = list(groups)
    values: dict[str, int | None] = {}
    for resource in (f.name for f in fields(Limits)):
        own = getattr(user, resource) if user else None
        if own is None:
            of_groups = [v for g in groups if (v := getattr(g, resource)) is not None]
            own = max(of_groups) if of_groups else None
        if own is None and default is not None:
            own = getattr(default, resource)
        values[resource] = own
    return Limits(**values)


def excesses(limits: Limits, use: Use, added: Use) -> list[Excess]:
    """The limits that ``use + added`` would break. What ``added`` does not touch is not judged:
    someone over a lowered limit can still do what makes nothing worse."""
    found = []
    for resource in (f.name for f in fields(Limits)):
        limit, more = getattr(limits, resource), getattr(added, resource)
        if limit is not None and more > 0 and getattr(use, resource) + more > limit:
            found.append(Excess(resource, getattr(use, resource), more, limit))
    return found


def _limits(quota: Quota) -> Limits:
    return Limits(
        sessions=quota.max_sessions,
        running=quota.max_running,
        cpu_millicores=quota.max_cpu_millicores,
        memory_mib=quota.max_memory_mib,
        storage_mib=quota.max_storage_mib,
    )


def limits_of(user: User) -> Limits:
    """The limits in force for ``user``, from one query."""
    quotas = Quota.objects.filter(user=user) | Quota.objects.filter(group__in=user.groups.all())
    quotas = quotas | Quota.objects.filter(user__isnull=True, group__isnull=True)
    own = default = None
    groups = []
    for quota in quotas.distinct():
        if quota.user_id is not None:
            own = _limits(quota)
        elif quota.group_id is not None:
            groups.append(_limits(quota))
        else:
            default = _limits(quota)
    return combine(own, groups, default)
