"""Hosts are matched whole."""

from __future__ import annotations

import pytest

from sessions.stream import origins


def configure(settings, portal_url: str, domain: str) -> None:
    settings.STREAMSPACE = settings.STREAMSPACE.model_copy(
        update={"portal_url": portal_url, "ingress_domain": domain}
    )


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("one.localhost:8000", "one"),
        ("One.LOCALHOST:8000", "one"),
        ("one.localhost", None),
        ("one.localhost:8001", None),
        ("one.localhost:80000", None),
        ("one.localhost:8000.evil.example", None),
        ("one.localhost.evil.example:8000", None),
        ("two.one.localhost:8000", None),
        ("localhost:8000", None),
        (".localhost:8000", None),
        ("-one.localhost:8000", None),
        ("one_.localhost:8000", None),
        ("one.evil-localhost:8000", None),
        ("one\n.localhost:8000", None),
        (f"{'a' * 64}.localhost:8000", None),
        ("", None),
    ],
)
def test_a_session_is_named_by_the_whole_host(settings, host: str, name: str | None) -> None:
    configure(settings, "http://localhost:8000", "localhost")
    assert origins.session_name_from_host(host) == name


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("one.apps.example", "one"),
        ("one.apps.example:443", "one"),
        ("one.apps.example:80", None),
        ("portal.apps.example", None),
        ("portal.apps.example.", None),
    ],
)
def test_the_default_port_may_be_left_out_and_the_portal_is_no_session(
    settings, host: str, name: str | None
) -> None:
    configure(settings, "https://portal.apps.example", "apps.example")
    assert origins.session_name_from_host(host) == name


def test_origins_have_the_scheme_and_port_of_the_portal(settings) -> None:
    configure(settings, "https://portal.example:8443", "apps.example")
    assert origins.session_origin("one") == "https://one.apps.example:8443"
    configure(settings, "https://portal.example", "apps.example")
    assert origins.session_origin("one") == "https://one.apps.example"
