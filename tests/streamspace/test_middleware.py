"""What every answer carries, and which requests are not even looked at."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory, override_settings

from streamspace.middleware import SameOriginMiddleware, SecurityHeadersMiddleware
from tests.making import make_user

OWN = "http://localhost:8000"


def answer(method: str = "POST", **headers: str) -> HttpResponse:
    """What the middleware answers; 200 is the view's."""
    request = getattr(RequestFactory(), method.lower())(
        "/", HTTP_HOST="localhost:8000", headers=headers
    )
    return SameOriginMiddleware(lambda _: HttpResponse("view"))(request)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "https://localhost:8000"},
        {"Origin": "http://localhost:9000"},
        {"Origin": "http://jo-terminal-01234567.localhost:8000"},
        {"Origin": "http://localhost:8000.evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": OWN, "Sec-Fetch-Site": "same-site"},
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_unsafe_requests_of_other_origins_never_reach_a_view(
    method: str, headers: dict[str, str]
) -> None:
    refused = answer(method, **headers)
    assert refused.status_code == 403
    assert b'"error": "cross_origin"' in refused.content


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": OWN},
        {"Origin": OWN, "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_requests_of_the_portal_and_of_programs_pass(headers: dict[str, str]) -> None:
    assert answer(**headers).content == b"view"


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_safe_requests_pass_from_anywhere(method: str) -> None:
    assert answer(method, Origin="http://evil.example").status_code == 200


def test_an_allowed_origin_passes_with_a_token_only() -> None:
    config = settings.STREAMSPACE.model_copy(update={"cors_origins": ("https://app.example",)})
    with override_settings(STREAMSPACE=config):
        origin = {"Origin": "https://app.example", "Sec-Fetch-Site": "cross-site"}
        assert answer(**origin).status_code == 403
        assert answer(**origin, Authorization="Bearer x").status_code == 200


def policy(portal: str, domain: str = "localhost") -> str:
    config = settings.STREAMSPACE.model_copy(
        update={"portal_url": portal, "ingress_domain": domain}
    )
    with override_settings(STREAMSPACE=config):
        middleware = SecurityHeadersMiddleware(lambda _: HttpResponse())
        return middleware(HttpRequest()).headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("portal", "form_action"),
    [
        ("http://localhost:8000", "http://*.localhost:8000"),
        ("https://portal.example", "https://*.localhost"),
        ("http://[::1]:8000", "http://*.localhost:8000"),
    ],
)
def test_forms_may_go_to_the_portal_and_to_sessions_only(portal: str, form_action: str) -> None:
    assert f"form-action 'self' {form_action}" in policy(portal)


def test_no_script_but_the_portal_s_own_runs() -> None:
    assert "script-src 'self';" in policy(OWN)
    assert "object-src 'none'" in policy(OWN)
    assert "frame-ancestors 'none'" in policy(OWN)


@pytest.mark.django_db
def test_every_answer_carries_the_policy_also_an_error(client: Client) -> None:
    for path in ("/accounts/login/", "/api/v1/nothing", "/nothing"):
        assert "default-src 'self'" in client.get(path).headers["Content-Security-Policy"]
    refused = client.post("/api/v1/sessions", headers={"Origin": "http://evil.example"})
    assert "default-src 'self'" in refused.headers["Content-Security-Policy"]


@pytest.mark.django_db
def test_what_a_signed_in_user_sees_is_not_stored(client: Client) -> None:
    client.force_login(make_user())
    assert client.get("/api/v1/sessions").headers["Cache-Control"] == "private, no-store"
