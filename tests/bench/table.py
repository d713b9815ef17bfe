"""The row that every bench returns, and the table that ``make bench`` prints of them.

A bench is a module ``tests/bench/bench_<name>.py`` with ``def run() -> list[Row]``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One measured figure."""

    name: str
    """What was measured, in a few words."""
    value: float
    unit: str
    target: str = ""
    """The promise, as text with its direction: ``<= 250``. Empty: measured for information."""
    met: bool | None = None
    """Whether ``value`` keeps the promise; None when there is no target."""
    note: str = ""
    """What a reader needs to judge the figure: size of the data, number of runs, percentile."""


HEADINGS = ("name", "figure", "unit", "target", "met", "note")


def figure(value: float) -> str:
    """Three significant digits, never in exponent notation: ``0.0123``, ``4.57``, ``12,345``."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) >= 1:
        return f"{value:.3g}"
    return f"{value:.6f}".rstrip("0")


def render(rows: Sequence[Row]) -> str:
    """A Markdown table, padded so that it also reads well in a terminal."""
    answers = {True: "yes", False: "NO", None: ""}
    cells = [HEADINGS] + [
        (r.name, figure(r.value), r.unit, r.target, answers[r.met], r.note) for r in rows
    ]
    widths = [max(len(row[column]) for row in cells) for column in range(len(HEADINGS))]

    def line(row: Sequence[str]) -> str:
        padded = (
            cell.rjust(width) if column == 1 else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        return "| " + " | ".join(padded) + " |"

    rule = ["-" * width for width in widths]
    rule[1] = rule[1][:-1] + ":"
    return "\n".join([line(cells[0]), line(rule), *(line(row) for row in cells[1:])])
