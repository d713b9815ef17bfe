"""The viewer's files: all that a page imports is known, and lasts under its version."""

from __future__ import annotations

import pytest

from sessions.stream import assets


@pytest.mark.parametrize("entry", ["stream/desktop.js", "stream/webapp.js"])
def test_every_imported_module_exists(entry: str) -> None:
    modules = assets.modules_of(entry)
    assert modules[0] == entry
    assert [m for m in modules if assets._asset(m) is None] == []


def test_the_desktop_s_modules_reach_into_novnc() -> None:
    modules = assets.modules_of("stream/desktop.js")
    assert "vendor/novnc/core/rfb.js" in modules
    assert "vendor/novnc/core/decoders/tight.js" in modules
    assert len(modules) == len(set(modules))


def test_only_the_viewer_s_folders_are_served() -> None:
    assert assets._asset("admin/css/base.css") is None
    assert assets._asset("stream/../streamspace/tokens.css") is None
