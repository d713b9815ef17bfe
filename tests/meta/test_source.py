"""Habits of the source that no linter holds."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("streamspace", "sessions", "templates_app", "controller", "frontend")

TOP_LEVEL = {
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Dockerfile",
    "LICENSE",
    "Makefile",
    "README.md",
    "SECURITY.md",
    "controller",
    "docs",
    "frontend",
    "k8s",
    "manage.py",
    "package-lock.json",
    "package.json",
    "pyproject.toml",
    "requirements-apps.in",
    "requirements-apps.txt",
    "requirements-dev.in",
    "requirements-dev.txt",
    "requirements.in",
    "requirements.txt",
    "sessions",
    "streamspace",
    "templates_app",
    "tests",
}
LONGEST_MODULE = 450

# Put together from parts so that this file does not hold what it looks for.
NOTES_TO_SELF = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X"]) + r")\b")
MACHINE_PATHS = re.compile(
    r"(?<![\w.$}>/-])/(?:"
    + "|".join(["wo" + "rk/", "ro" + "ot/", r"ho" + r"me/(?!<|\{|user)"])
    + ")"
)
REGISTRY_HOSTS = re.compile(
    r"registry[.](npmjs|yarnpkg)|files[.]pythonhosted|pypi[.]org/simple|deb[.]debian[.]org"
    r"|--(extra-)?index-url|jfrog|artifactory"
)


def tracked() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def text_of(name: str) -> str:
    """A file's text; empty for pictures and the like."""
    data = (ROOT / name).read_bytes()
    return "" if b"\0" in data[:8000] else data.decode()


def found(pattern: re.Pattern[str], *, but: tuple[str, ...] = ()) -> list[str]:
    return [
        f"{name}:{number}: {line.strip()[:100]}"
        for name in tracked()
        if name not in but
        for number, line in enumerate(text_of(name).splitlines(), 1)
        if pattern.search(line)
    ]


def test_the_top_level_holds_only_what_the_design_names() -> None:
    top = {name.split("/")[0] for name in tracked()}
    assert {name for name in top if not name.startswith(".")} <= TOP_LEVEL


def test_no_module_is_too_long_to_have_one_reason_to_change() -> None:
    lengths = {
        name: len(text_of(name).splitlines())
        for name in tracked()
        if name.endswith((".py", ".js")) and "/migrations/" not in name
    }
    assert {name: n for name, n in lengths.items() if n > LONGEST_MODULE} == {}


def test_no_notes_to_self() -> None:
    assert found(NOTES_TO_SELF, but=("package-lock.json",)) == []


def test_no_paths_of_one_machine() -> None:
    assert found(MACHINE_PATHS) == []


def test_no_registry_hosts() -> None:
    assert found(REGISTRY_HOSTS, but=("tests/meta/test_source.py",)) == []


def test_the_npm_lock_file_pins_by_hash_and_names_no_host() -> None:
    lock = (ROOT / "package-lock.json").read_text()
    assert '"resolved"' not in lock
    assert lock.count('"integrity"') == lock.count('"node_modules/')


@pytest.mark.parametrize("name", ["utils.py", "helpers.py", "misc.py", "common.py"])
def test_no_module_is_named_for_nothing(name: str) -> None:
    assert [path for path in tracked() if path.rsplit("/", 1)[-1] == name] == []


def test_every_python_module_says_what_it_is_for() -> None:
    silent = [
        name
        for name in tracked()
        if name.endswith(".py")
        and name.startswith(PRODUCT)
        and "/migrations/" not in name
        and not name.endswith(("__init__.py", "/apps.py"))
        and not text_of(name).lstrip().startswith(('"""', 'r"""'))
    ]
    assert silent == []
