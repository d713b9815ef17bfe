"""The sample catalogue: every template with a local program can be read, shown and expanded."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from controller.runtimes.base import LocalProgram
from controller.runtimes.local.programs import Programs
from templates_app.manifests import Manifest, parse

CATALOGUE = Path(__file__).resolve().parents[4] / "k8s" / "templates"
WITH_PROGRAM = {"desktop", "terminal", "firefox", "chromium", "jupyter-lab"}


def manifests() -> list[tuple[Path, Manifest]]:
    found = []
    for path in sorted(CATALOGUE.rglob("*.yaml")):
        read, problems = parse(path.read_text())
        assert problems == [], path
        found += [(path, manifest) for manifest in read]
    return found


def test_the_templates_for_a_machine_without_a_cluster_are_there() -> None:
    assert {m.name for _, m in manifests() if "local" in m.spec} >= WITH_PROGRAM


@pytest.mark.parametrize(
    ("path", "manifest"),
    [pytest.param(*found, id=found[1].name) for found in manifests() if "local" in found[1].spec],
)
class TestTemplate:
    """Each template with a local program."""

    def test_its_icon_is_a_picture_beside_it(self, path: Path, manifest: Manifest) -> None:
        root = ET.parse(path.parent / manifest.spec["icon"]).getroot()
        assert root.tag.endswith("svg")
        assert root.get("viewBox")

    def test_it_says_how_to_install_what_may_be_missing(
        self, path: Path, manifest: Manifest
    ) -> None:
        assert "`" in manifest.spec["local"]["install"]

    def test_every_placeholder_is_filled_in(self, path: Path, manifest: Manifest) -> None:
        program = LocalProgram(tuple(manifest.spec["local"]["command"]))
        values = {"home": "HOME", "socket": "SOCKET", "profile": "PROFILE"}
        command = " ".join(Programs().command(program, values))
        assert "{" not in command
        if manifest.spec["appType"] == "webapp":
            assert "SOCKET" in command


@pytest.mark.parametrize(("user", "expected"), [(0, ["x", "--careful"]), (1000, ["x"])])
def test_a_word_for_root_is_left_out_for_others(
    monkeypatch: pytest.MonkeyPatch, user: int, expected: list[str]
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: user)
    program = LocalProgram(("x", "{root:--careful}"))
    assert Programs().command(program, {}) == expected
