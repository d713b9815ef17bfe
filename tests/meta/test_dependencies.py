"""``docs/dependencies.md`` gives the reason for each direct dependency, and for nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "dependencies.md"
ROW = re.compile(r"^\| `(?P<name>[^`]+)` \| (?P<reason>.+) \|$")


def asked_for(source: str) -> set[str]:
    """Names in a requirements ``.in`` file, without extras and versions."""
    names = set()
    for line in (ROOT / source).read_text().splitlines():
        requirement = line.split("#")[0].strip()
        if requirement and not requirement.startswith("-"):
            names.add(re.split(r"[\[<>=~!; ]", requirement)[0])
    return names


def direct() -> dict[str, set[str]]:
    package = json.loads((ROOT / "package.json").read_text())
    return {
        "requirements.in": asked_for("requirements.in"),
        "requirements-dev.in": asked_for("requirements-dev.in"),
        "requirements-apps.in": asked_for("requirements-apps.in"),
        "package.json": set(package["dependencies"]) | set(package["devDependencies"]),
    }


def documented() -> dict[str, dict[str, str]]:
    """Heading's file → name → reason, of the page's tables."""
    tables: dict[str, dict[str, str]] = {}
    rows: dict[str, str] = {}
    for line in PAGE.read_text().splitlines():
        if line.startswith("## "):
            heading = re.search(r"`([^`]+)`", line)
            rows = tables.setdefault(heading[1] if heading else line, {})
        elif row := ROW.match(line):
            rows[row["name"]] = row["reason"]
    return tables


@pytest.mark.parametrize("source", sorted(direct()))
def test_each_direct_dependency_has_one_line_of_reason(source: str) -> None:
    table = documented().get(source, {})
    assert set(table) == direct()[source]
    assert [name for name, reason in table.items() if len(reason) < 15] == []


@pytest.mark.parametrize("source", ["requirements", "requirements-dev", "requirements-apps"])
def test_each_direct_dependency_is_pinned(source: str) -> None:
    pinned = {
        line.split("==")[0].lower().replace("_", "-")
        for line in (ROOT / f"{source}.txt").read_text().splitlines()
        if "==" in line
    }
    assert {name.lower().replace("_", "-") for name in asked_for(f"{source}.in")} <= pinned


def test_development_runs_on_the_same_versions_as_production() -> None:
    def pins(source: str) -> set[str]:
        lines = (ROOT / source).read_text().splitlines()
        return {line for line in lines if "==" in line}

    assert pins("requirements.txt") <= pins("requirements-dev.txt")
