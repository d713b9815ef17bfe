"""CPU and memory as people read them. Pure."""

from __future__ import annotations


def cpu(millicores: int) -> str:
    """
    >>> cpu(1500), cpu(1000), cpu(250)
    ('1.5 CPU', '1 CPU', '0.25 CPU')
    """
    return f"{millicores / 1000:.3f}".rstrip("0").rstrip(".") + " CPU"


def size(mib: int) -> str:
    """
    >>> size(512), size(2048), size(2560), size(3 * 1024 * 1024)
    ('512 MiB', '2 GiB', '2.5 GiB', '3 TiB')
    """
    value, unit = float(mib), "MiB"
    for larger in ("GiB", "TiB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{value:.2f}".rstrip("0").rstrip(".") + f" {unit}"
