"""What browsers and load balancers meet: CORS, the documentation page, health."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import DatabaseError
from django.test import Client
from rest_framework.test import APIClient

from streamspace import __version__
from streamspace.api import system
from tests.api.conftest import ROOT, World

FRIEND = "https://tools.example.com"


@pytest.fixture
def friend(settings: Any) -> str:
    settings.STREAMSPACE = settings.STREAMSPACE.model_copy(update={"cors_origins": (FRIEND,)})
    settings.CORS_ALLOWED_ORIGINS = (FRIEND,)
    return FRIEND


def test_scripts_of_allowed_origins_may_call_with_a_token(as_owner: APIClient, friend: str) -> None:
    response = as_owner.post(
        f"{ROOT}/sessions",
        {"template": "firefox"},
        format="json",
        headers={"Origin": friend, "Sec-Fetch-Site": "cross-site"},
    )
    assert response.status_code == 201
    assert response.headers["Access-Control-Allow-Origin"] == friend
    assert "Access-Control-Allow-Credentials" not in response.headers
    assert "location" in response.headers["Access-Control-Expose-Headers"].lower()


def test_preflights_allow_the_token_header(client: Client, friend: str) -> None:
    response = client.options(
        f"{ROOT}/sessions",
        headers={
            "Origin": friend,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type",
        },
    )
    assert response.status_code == 200
    assert response.headers["Access-Control-Allow-Origin"] == friend
    assert "authorization" in response.headers["Access-Control-Allow-Headers"]


@pytest.mark.parametrize("origin", ["https://evil.example", f"{FRIEND}.evil", "null"])
def test_other_origins_get_nothing(as_owner: APIClient, friend: str, origin: str) -> None:
    read = as_owner.get(f"{ROOT}/sessions", headers={"Origin": origin})
    assert "Access-Control-Allow-Origin" not in read.headers
    write = as_owner.post(
        f"{ROOT}/sessions", {"template": "firefox"}, format="json", headers={"Origin": origin}
    )
    assert (write.status_code, write.json()["error"]) == (403, "cross_origin")


def test_an_allowed_origin_cannot_use_the_cookie(world: World, friend: str) -> None:
    browser = APIClient()
    browser.force_login(world.owner)
    response = browser.post(
        f"{ROOT}/sessions",
        {"template": "firefox"},
        format="json",
        headers={"Origin": friend, "Sec-Fetch-Site": "cross-site"},
    )
    assert (response.status_code, response.json()["error"]) == (403, "cross_origin")


def test_pages_outside_the_api_have_no_cors(client: Client, db: None, friend: str) -> None:
    response = client.get("/accounts/login/", headers={"Origin": friend})
    assert "Access-Control-Allow-Origin" not in response.headers


def test_answers_to_people_are_not_cached(as_owner: APIClient) -> None:
    assert "no-store" in as_owner.get(f"{ROOT}/sessions").headers["Cache-Control"]


def test_the_documentation_runs_under_the_portals_policy(client: Client, db: None) -> None:
    page = client.get(f"{ROOT}/docs")
    assert page.status_code == 200
    html = page.content.decode()
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    scripts = re.findall(r"<script([^>]*)>(.*?)</script>", html, re.DOTALL)
    assert scripts
    for attributes, content in scripts:
        source = re.search(r'src="([^"]+)"', attributes)
        assert source is not None
        assert not content.strip()
        assert source[1].startswith("/")
        loaded = client.get(source[1].replace("&amp;", "&"))
        assert loaded.status_code == 200
        assert "javascript" in loaded.headers["Content-Type"]
        assert b"".join(loaded)
    assert not re.search(r'\son\w+="', html)
    assert f"{ROOT}/schema" in client.get(f"{ROOT}/docs?script=").content.decode()


def test_health_and_version_tell_no_secrets(client: Client, db: None) -> None:
    health = client.get(f"{ROOT}/health")
    assert health.json() == {"status": "ok", "checks": {"database": "ok"}}
    assert client.get(f"{ROOT}/health?ready").json()["checks"] == {"database": "ok", "cache": "ok"}
    assert client.get(f"{ROOT}/version").json() == {"version": __version__, "api": "v1"}


def test_health_says_when_the_database_is_away(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Away:
        def cursor(self) -> None:
            raise DatabaseError("password authentication failed for user x")

    monkeypatch.setattr(system, "connection", Away())
    response = client.get(f"{ROOT}/health")
    assert response.status_code == 503
    assert response.json() == {"status": "unavailable", "checks": {"database": "failed"}}


def test_the_schema_comes_as_yaml_and_json(client: Client) -> None:
    yaml = client.get(f"{ROOT}/schema")
    assert yaml.content.startswith(b"openapi:")
    json = client.get(f"{ROOT}/schema", headers={"Accept": "application/json"})
    assert json.json()["openapi"].startswith("3.")
