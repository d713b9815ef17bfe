"""The catalogue over the API."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from templates_app.models import Template
from tests.api.conftest import ROOT, World, make_template

TEMPLATES = f"{ROOT}/templates"


def names(response: Any) -> list[str]:
    assert response.status_code == 200, response.content
    return [item["name"] for item in response.json()["results"]]


def test_a_template_shows_what_a_launch_would_get(as_owner: APIClient, world: World) -> None:
    make_template(
        "editor",
        tags=["code", "text"],
        description="Writes.",
        idleTimeout="45m",
        defaultResources={"requests": {"cpu": "1", "memory": "1Gi"}},
    )
    body = as_owner.get(f"{TEMPLATES}/editor").json()
    assert body["display_name"] == "Editor"
    assert body["tags"] == ["code", "text"]
    assert body["resources"] == {"cpu": "1", "memory": "1Gi"}
    assert body["idle_timeout"] == "45m"
    assert body["revision"] == 1
    assert body["launchable"] is True
    assert body["favourite"] is False
    assert body["icon_url"] == "/templates/editor/icon.svg"


def test_a_template_without_revision_or_availability_is_shown_too(
    as_owner: APIClient, world: World
) -> None:
    Template.objects.create(name="draft", display_name="Draft")
    body = as_owner.get(f"{TEMPLATES}/draft").json()
    assert (body["launchable"], body["revision"]) == (False, None)
    assert names(as_owner.get(TEMPLATES, {"launchable": "false"})) == ["draft"]


def test_the_catalogue_filters(as_owner: APIClient, world: World) -> None:
    make_template("editor", category="Development", tags=["Code"], description="For prose")
    make_template("away", launchable=False)
    make_template("off")
    Template.objects.filter(name="off").update(enabled=False)
    assert names(as_owner.get(TEMPLATES, {"launchable": "true"})) == ["editor", "firefox"]
    assert names(as_owner.get(TEMPLATES, {"launchable": "false"})) == ["away", "off"]
    assert names(as_owner.get(TEMPLATES, {"category": "development"})) == ["editor"]
    for text in ("EDIT", "code", "prose"):
        assert names(as_owner.get(TEMPLATES, {"search": text})) == ["editor"]
    Template.objects.filter(name="off").update(featured=True)
    assert names(as_owner.get(TEMPLATES))[0] == "off"


def test_favourites_are_each_users_own(
    as_owner: APIClient, as_stranger: APIClient, world: World
) -> None:
    address = f"{TEMPLATES}/firefox"
    for _ in range(2):
        assert as_owner.put(f"{address}/favourite").status_code == 204
    assert as_owner.get(address).json()["favourite"] is True
    assert as_stranger.get(address).json()["favourite"] is False
    assert names(as_owner.get(TEMPLATES, {"favourite": "true"})) == ["firefox"]
    assert names(as_stranger.get(TEMPLATES, {"favourite": "true"})) == []
    for _ in range(2):
        assert as_owner.delete(f"{address}/favourite").status_code == 204
    assert as_owner.get(address).json()["favourite"] is False


def test_staff_decide_what_is_offered_and_nothing_else(as_staff: APIClient, world: World) -> None:
    address = f"{TEMPLATES}/firefox"
    body = as_staff.patch(address, {"enabled": False, "featured": True}, format="json").json()
    assert (body["enabled"], body["featured"], body["launchable"]) == (False, True, False)
    for attempt in ({"display_name": "x"}, {"current_revision": 1}, {"enabled": "no"}):
        assert as_staff.patch(address, attempt, format="json").status_code == 400
    assert as_staff.patch(address, {}, format="json").status_code == 200


def test_revisions_are_listed_newest_first(as_owner: APIClient, world: World) -> None:
    make_template("firefox", description="newer")
    found = as_owner.get(f"{TEMPLATES}/firefox/revisions").json()["results"]
    assert [(r["number"], r["current"]) for r in found] == [(2, True), (1, False)]
    assert found[0]["spec"]["description"] == "newer"


@pytest.mark.parametrize("path", ["templates", "templates/firefox/revisions"])
def test_lists_take_few_queries_however_long(as_owner: APIClient, world: World, path: str) -> None:
    for number in range(30):
        make_template(f"template-{number}")
        make_template("firefox", description=str(number))
    with CaptureQueriesContext(connection) as queries:
        assert len(names_or_numbers(as_owner.get(f"{ROOT}/{path}"))) == 31
    assert len(queries) <= 4


def names_or_numbers(response: Any) -> list[Any]:
    return [item.get("name", item.get("number")) for item in response.json()["results"]]
