"""The table of ``make bench``."""

from __future__ import annotations

import pytest

from tests.bench.table import Row, figure, render


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.0123, "0.0123"), (4.567, "4.57"), (99.94, "99.9"), (12345.6, "12,346")],
)
def test_figures_are_short_and_never_in_exponents(value: float, text: str) -> None:
    assert figure(value) == text


def test_a_missed_target_stands_out() -> None:
    table = render([Row("one", 1, "ms", "<= 2", True), Row("two", 3, "ms", "<= 2", False)])
    rows = table.splitlines()
    assert [len(row) for row in rows] == [len(rows[0])] * 4
    assert "| yes |" in rows[2]
    assert "| NO  |" in rows[3]
