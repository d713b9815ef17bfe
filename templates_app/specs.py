"""Reading a template revision's spec: the manifest's words in, typed values out. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Any

_CPU = re.compile(r"([0-9]+(?:\.[0-9]+)?)(m?)")
_MEMORY = re.compile(r"([0-9]+(?:\.[0-9]+)?)(Ki|Mi|Gi|Ti|k|M|G|T|)")
_MEMORY_UNITS = {
    "": 1,
    "k": 10**3,
    "M": 10**6,
    "G": 10**9,
    "T": 10**12,
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
    "Ti": 2**40,
}

DEFAULT_CPU = 500
"""Millicores of a template that does not say."""
DEFAULT_MEMORY = 512
"""MiB of a template that does not say."""


@dataclass(frozen=True, slots=True)
class Resources:
    """What one session counts against its owner's quota."""

    cpu_millicores: int
    memory_mib: int


def parse_cpu(text: str) -> int:
    """Kubernetes CPU quantity → millicores, rounded up; ValueError for anything else.

    >>> parse_cpu("1.5"), parse_cpu("250m")
    (1500, 250)
    """
    match = _CPU.fullmatch(text.strip())
    if not match:
        raise ValueError(f"{text!r} is not a CPU quantity; write for example 500m or 2")
    return _rounded_up(Decimal(match[1]) * (1 if match[2] else 1000))


def parse_memory(text: str) -> int:
    """Kubernetes memory quantity → MiB, rounded up; ValueError for anything else.

    >>> parse_memory("2Gi"), parse_memory("100M")
    (2048, 96)
    """
    match = _MEMORY.fullmatch(text.strip())
    if not match:
        raise ValueError(f"{text!r} is not a memory quantity; write for example 512Mi or 2Gi")
    return _rounded_up(Decimal(match[1]) * _MEMORY_UNITS[match[2]] / 2**20)


def _rounded_up(value: Decimal) -> int:
    # Decimal: in binary fractions 0.07 CPUs are a little more than 70 millicores.
    return int(value.to_integral_value(ROUND_CEILING))


def resources_of(spec: Mapping[str, Any]) -> Resources:
    """The requests (else the limits, else defaults) of ``defaultResources``."""
    resources = spec.get("defaultResources") or {}
    requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
    cpu = requests.get("cpu", limits.get("cpu"))
    memory = requests.get("memory", limits.get("memory"))
    return Resources(
        cpu_millicores=parse_cpu(str(cpu)) if cpu is not None else DEFAULT_CPU,
        memory_mib=parse_memory(str(memory)) if memory is not None else DEFAULT_MEMORY,
    )
