"""What the portal's forms accept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from sessions.services import Choices
from streamspace.config import format_duration, parse_duration
from streamspace.errors import UserError
from templates_app.specs import Resources, parse_cpu, parse_memory

from . import words

IDLE_CHOICES = tuple(timedelta(minutes=m) for m in (15, 30, 60, 120, 240, 480))
_LONGEST_AMOUNT = 20
"""Characters, as in the API: what is longer is no amount, and too much to reckon with."""
_NO = frozenset({"no", "false", "0", "off"})


@dataclass(frozen=True, slots=True)
class Size:
    """A combination of CPU and memory that the launch form offers."""

    key: str
    label: str
    cpu_millicores: int
    memory_mib: int

    @property
    def text(self) -> str:
        return f"{words.cpu(self.cpu_millicores)} · {words.size(self.memory_mib)}"


def sizes(default: Resources) -> list[Size]:
    """Half, once, twice and four times what the template asks for."""
    return [
        Size(
            key,
            label,
            max(100, int(default.cpu_millicores * factor)),
            max(128, int(default.memory_mib * factor)),
        )
        for key, label, factor in (
            ("small", "Small", 0.5),
            ("standard", "Standard", 1),
            ("large", "Large", 2),
            ("xlarge", "Extra large", 4),
        )
    ]


@dataclass(frozen=True, slots=True)
class LaunchForm:
    """The launch form's fields as the person filled them in (or a launch address did)."""

    name: str
    size: str
    cpu: str
    memory: str
    home: bool
    idle: str

    @classmethod
    def read(cls, data: Mapping[str, str], default: Resources) -> LaunchForm:
        """Fields from a query or a body. Absent ones get the template's values; a CPU or memory
        without a size means a size of one's own."""
        cpu, memory = data.get("cpu", "").strip(), data.get("memory", "").strip()
        size = data.get("size", "custom" if cpu or memory else "standard")
        known = {s.key: s for s in sizes(default)}
        chosen = known.get(size)
        if chosen is None:
            size = "custom"
        return cls(
            name=data.get("name", "").strip()[:100],
            size=size,
            cpu=_cores(chosen.cpu_millicores) if chosen else cpu or _cores(default.cpu_millicores),
            memory=_memory(chosen.memory_mib) if chosen else memory or _memory(default.memory_mib),
            home=data.get("home", "yes").lower() not in _NO,
            idle=data.get("idle", "").strip(),
        )

    def resources(self) -> Resources:
        """CPU and memory; UserError when one cannot be read."""
        try:
            cpu = parse_cpu(_amount(self.cpu))
        except ValueError:
            raise UserError(
                f"{self.cpu[:20]!r} is no amount of CPU; write for example 0.5 or 2.",
                details={"field": "cpu"},
            ) from None
        try:
            memory = parse_memory(_amount(self.memory))
        except ValueError:
            raise UserError(
                f"{self.memory[:20]!r} is no amount of memory; write for example 512Mi or 2Gi.",
                details={"field": "memory"},
            ) from None
        if cpu < 1 or memory < 1:
            raise UserError("CPU and memory must be more than nothing.", details={"field": "cpu"})
        return Resources(cpu, memory)

    def choices(self) -> Choices:
        """What ``services.launch`` takes; UserError for a field that cannot be read."""
        resources = self.resources()
        idle = None
        if self.idle:
            try:
                idle = parse_duration(self.idle)
            except ValueError:
                raise UserError(
                    f"{self.idle!r} is no duration; write for example 30m or 2h.",
                    details={"field": "idle"},
                ) from None
        return Choices(
            display_name=self.name,
            cpu_millicores=resources.cpu_millicores,
            memory_mib=resources.memory_mib,
            persistent_home=self.home,
            idle_timeout=idle,
        )

    def idle_options(self, default: timedelta) -> list[tuple[str, str]]:
        """(value, label) of the choices for the idle timeout; the template's stands first."""
        options = [("", f"{words.span(default)} (the template's choice)")]
        options += [(format_duration(d), words.span(d)) for d in IDLE_CHOICES if d != default]
        if self.idle and self.idle not in dict(options):
            options.append((self.idle, self.idle))
        return options


def _amount(text: str) -> str:
    if len(text) > _LONGEST_AMOUNT:
        raise ValueError("too long")
    return text


def _cores(millicores: int) -> str:
    return words.cpu(millicores).removesuffix(" CPU")


def _memory(mib: int) -> str:
    return f"{mib // 1024}Gi" if mib % 1024 == 0 else f"{mib}Mi"
