"""Every error has one shape, whatever caused it and wherever it was noticed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError
from rest_framework.test import APIClient

from sessions import services
from sessions.api.views import SessionViewSet
from streamspace.api.codes import CODES
from streamspace.api.parsers import LARGEST_BODY
from streamspace.api.throttling import AnonymousThrottle, TokenCreationThrottle
from tests.api.conftest import ROOT, World

REPOSITORY = Path(__file__).resolve().parents[2]


def assert_error(response: Any, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.content
    assert response.headers["Content-Type"] == "application/json"
    body: dict[str, Any] = response.json()
    assert body.keys() == {"error", "message", "details"}
    assert body["error"] == code
    assert body["message"]
    assert isinstance(body["details"], dict)
    return body


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "template"),
        ([], "request"),
        ("text", "request"),
        (None, "template"),
        ({"template": 7}, "template"),
        ({"template": None}, "template"),
        ({"template": ""}, "template"),
        ({"template": "x" * 64}, "template"),
        ({"template": "fire\x00fox"}, "template"),
        ({"template": ["firefox"]}, "template"),
        ({"template": "firefox", "display_name": "x" * 101}, "display_name"),
        ({"template": "firefox", "display_name": "a\x00b"}, "display_name"),
        ({"template": "firefox", "persistent_home": "false"}, "persistent_home"),
        ({"template": "firefox", "persistent_home": 0}, "persistent_home"),
        ({"template": "firefox", "idle_timeout": 30}, "idle_timeout"),
        ({"template": "firefox", "idle_timeout": "soon"}, "idle_timeout"),
        ({"template": "firefox", "idle_timeout": "0s"}, "idle_timeout"),
        ({"template": "firefox", "idle_timeout": "999999999d"}, "idle_timeout"),
        ({"template": "firefox", "idle_timeout": "9" * 5000 + "d"}, "idle_timeout"),
        ({"template": "firefox", "resources": "large"}, "resources"),
        ({"template": "firefox", "resources": {"cpu": 1}}, "resources"),
        ({"template": "firefox", "resources": {"cpu": "-1"}}, "resources"),
        ({"template": "firefox", "resources": {"cpu": "0"}}, "resources"),
        ({"template": "firefox", "resources": {"cpu": "9" * 20}}, "resources"),
        ({"template": "firefox", "resources": {"memory": "1Xi"}}, "resources"),
        ({"template": "firefox", "resources": {"memory": "99999999999Ti"}}, "resources"),
        ({"template": "firefox", "resources": {"gpu": "1"}}, "resources"),
        ({"template": "firefox", "colour": "red"}, "colour"),
        ({"template": "firefox", "desired_state": "hibernated"}, "desired_state"),
    ],
)
def test_a_launch_that_makes_no_sense_names_the_field(
    as_owner: APIClient, body: Any, field: str
) -> None:
    response = as_owner.post(f"{ROOT}/sessions", body, format="json")
    assert field in assert_error(response, 400, "invalid_request")["details"]


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff\xfe",
        b'{"template": NaN}',
        b'{"template": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b'{"template": "\\ud800"}',
    ],
)
def test_bodies_that_are_no_json_are_refused(as_owner: APIClient, body: bytes) -> None:
    response = as_owner.post(f"{ROOT}/sessions", body, content_type="application/json")
    assert_error(response, 400, "invalid_request")


def test_a_huge_body_is_refused_unread(as_owner: APIClient) -> None:
    body = b'{"template": "' + b"x" * LARGEST_BODY + b'"}'
    response = as_owner.post(f"{ROOT}/sessions", body, content_type="application/json")
    assert_error(response, 413, "payload_too_large")


def test_other_media_types_are_refused(as_owner: APIClient) -> None:
    response = as_owner.post(f"{ROOT}/sessions", b"template=x", content_type="text/plain")
    assert_error(response, 415, "unsupported_media_type")


def test_who_accepts_no_json_is_told(as_owner: APIClient) -> None:
    response = as_owner.get(f"{ROOT}/sessions", headers={"Accept": "image/png"})
    assert_error(response, 406, "not_acceptable")


def test_methods_that_do_not_exist(as_owner: APIClient) -> None:
    assert_error(as_owner.put(f"{ROOT}/sessions"), 405, "method_not_allowed")
    assert_error(as_owner.options(f"{ROOT}/sessions"), 405, "method_not_allowed")


@pytest.mark.parametrize(
    "path",
    [
        "/api",
        "/api/",
        "/api/v2/sessions",
        f"{ROOT}",
        f"{ROOT}/",
        f"{ROOT}/nothing",
        f"{ROOT}/sessions/",
        f"{ROOT}/sessions/UPPER",
        f"{ROOT}/sessions/a%00b",
        f"{ROOT}/users/a%00b",
        f"{ROOT}/groups/99999999999999999999",
    ],
)
@pytest.mark.parametrize("method", ["get", "post", "delete"])
def test_addresses_that_do_not_exist(anonymous: APIClient, path: str, method: str) -> None:
    assert_error(getattr(anonymous, method)(path), 404, "not_found")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("sessions/nobody-nothing-00000000", "session_not_found"),
        ("templates/nothing", "template_not_found"),
        ("templates/nothing/revisions", "template_not_found"),
        ("users/nobody", "user_not_found"),
        ("groups/999999", "not_found"),
        ("quotas/999999999999999999", "not_found"),
        ("sessions?page=2", "not_found"),
        ("sessions?page=0", "not_found"),
        ("sessions?page=99999999999999999999", "not_found"),
        ("sessions?page=x", "not_found"),
    ],
)
def test_things_that_do_not_exist(as_superuser: APIClient, path: str, code: str) -> None:
    assert_error(as_superuser.get(f"{ROOT}/{path}"), 404, code)


@pytest.mark.parametrize(
    "query",
    [
        "state=green",
        "phase=running",
        "include_terminated=maybe",
        "everyone=1",
        "search=%00",
        f"search={'x' * 151}",
        "onwer=ada",
        "template=" + "x" * 200,
    ],
)
def test_filters_that_are_not_understood(as_staff: APIClient, query: str) -> None:
    body = assert_error(as_staff.get(f"{ROOT}/sessions?{query}"), 400, "invalid_request")
    assert query.split("=")[0] in body["details"]


@pytest.mark.parametrize(
    "header",
    ["Bearer", "Bearer a b", "Bearer " + "0" * 64, "Bearer \xff\xfe", "Bearer %00", "Bearer ☃"],
)
def test_tokens_that_are_none(anonymous: APIClient, world: World, header: str) -> None:
    anonymous.credentials(HTTP_AUTHORIZATION=header.encode("latin-1", "replace").decode("latin-1"))
    response = anonymous.get(f"{ROOT}/sessions")
    assert_error(response, 401, "not_authenticated")
    assert response.headers["WWW-Authenticate"] == "Bearer"


def test_faults_are_shown_as_such_and_logged(
    as_owner: APIClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError("secret inner life")

    monkeypatch.setattr(SessionViewSet, "list", broken)
    response = as_owner.get(f"{ROOT}/sessions")
    assert_error(response, 500, "internal_error")
    assert "secret inner life" not in response.content.decode()
    assert any(record.exc_info for record in caplog.records)


def test_a_database_that_is_away_asks_to_come_back(
    as_owner: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise OperationalError("connection refused at 10.0.0.1")

    monkeypatch.setattr(services, "launch", away)
    response = as_owner.post(f"{ROOT}/sessions", {"template": "firefox"}, format="json")
    body = assert_error(response, 503, "unavailable")
    assert response.headers["Retry-After"]
    assert "10.0.0.1" not in str(body)


def test_who_keeps_failing_to_sign_in_is_slowed_down(
    anonymous: APIClient, as_owner: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AnonymousThrottle, "rate", "3/min", raising=False)
    anonymous.credentials(HTTP_AUTHORIZATION="Bearer " + "0" * 64)
    for _ in range(3):
        assert anonymous.get(f"{ROOT}/sessions").status_code == 401
    response = anonymous.get(f"{ROOT}/sessions")
    assert_error(response, 429, "rate_limited")
    assert int(response.headers["Retry-After"]) > 0
    assert as_owner.get(f"{ROOT}/sessions").status_code == 200


def test_making_tokens_is_rate_limited(
    as_owner: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TokenCreationThrottle, "rate", "2/hour", raising=False)
    answers = [as_owner.post(f"{ROOT}/tokens", {"name": "x"}, format="json") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert as_owner.get(f"{ROOT}/tokens").status_code == 200


def test_a_cache_that_is_away_limits_nobody(
    anonymous: APIClient, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from redis.exceptions import ConnectionError as RedisAway

    def away(*_: Any, **__: Any) -> None:
        raise RedisAway

    monkeypatch.setattr("django.core.cache.backends.locmem.LocMemCache.get", away)
    assert anonymous.get(f"{ROOT}/version").status_code == 200
    ready = anonymous.get(f"{ROOT}/health?ready")
    assert (ready.status_code, ready.json()["checks"]["cache"]) == (503, "failed")


def test_suspicious_requests_get_the_same_shape(anonymous: APIClient) -> None:
    response = anonymous.get(f"{ROOT}/version", headers={"Host": "evil.example"})
    assert_error(response, 400, "invalid_request")


def test_every_code_that_is_raised_is_documented() -> None:
    pattern = re.compile(r"""\bcode\s*=\s*["']([a-z_]+)["']""")
    folders = ("sessions", "templates_app", "streamspace/accounts", "streamspace/errors.py")
    raised = {
        code
        for folder in folders
        for path in [REPOSITORY / folder]
        for file in ([path] if path.is_file() else path.rglob("*.py"))
        if "management" not in file.parts and "stream" not in file.parts
        for code in pattern.findall(file.read_text())
    }
    only_on_the_command_line = {"path_not_found"}
    assert raised - only_on_the_command_line <= set(CODES)
