"""Kubernetes quantities in the API: ``{"cpu": "500m", "memory": "1Gi"}``."""

from __future__ import annotations

from streamspace.api.fields import ParsedTextField, StrictSerializer
from streamspace.api.schema import shaped
from templates_app.specs import parse_cpu, parse_memory

LARGEST = 1_000_000_000
"""Millicores or MiB of one session; the database's integers end at twice that."""


def format_cpu(millicores: int) -> str:
    """Millicores → the shortest quantity.

    >>> format_cpu(1500), format_cpu(2000)
    ('1500m', '2')
    """
    cores, rest = divmod(millicores, 1000)
    return f"{millicores}m" if rest else str(cores)


def format_memory(mib: int) -> str:
    """MiB → the shortest quantity.

    >>> format_memory(1536), format_memory(2048)
    ('1536Mi', '2Gi')
    """
    gib, rest = divmod(mib, 1024)
    return f"{mib}Mi" if rest else f"{gib}Gi"


def _in_range(value: int) -> int:
    if not 1 <= value <= LARGEST:
        raise ValueError("The quantity is out of range.")
    return value


@shaped(
    {
        "type": "string",
        "pattern": r"^\d+(?:\.\d+)?m?$",
        "maxLength": 20,
        "description": "A Kubernetes CPU quantity.",
        "example": "500m",
    }
)
class CpuField(ParsedTextField):
    """``500m`` ↔ millicores."""

    format_value = staticmethod(format_cpu)

    @staticmethod
    def parse(text: str) -> int:
        return _in_range(parse_cpu(text))


@shaped(
    {
        "type": "string",
        "pattern": r"^\d+(?:\.\d+)?(?:Ki|Mi|Gi|Ti|k|M|G|T)?$",
        "maxLength": 20,
        "description": "A Kubernetes memory quantity.",
        "example": "1Gi",
    }
)
class MemoryField(ParsedTextField):
    """``1Gi`` ↔ MiB."""

    format_value = staticmethod(format_memory)

    @staticmethod
    def parse(text: str) -> int:
        return _in_range(parse_memory(text))


class ResourcesSerializer(StrictSerializer):
    """What a session reserves, and what counts against its owner's quota."""

    cpu = CpuField(source="cpu_millicores", required=False)
    memory = MemoryField(source="memory_mib", required=False)
