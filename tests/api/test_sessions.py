"""Sessions over the API: launching, reading, changing, sharing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from sessions import services
from sessions.api.filters import in_state
from sessions.api.serializers import SessionSerializer
from sessions.choices import DesiredState, Phase
from sessions.lifecycle import DisplayState
from sessions.models import Session, SessionEvent
from sessions.selectors import visible_to
from streamspace.accounts.models import Quota
from streamspace.accounts.services import set_quota
from tests.api.conftest import ROOT, World, client_of, make_template

SESSIONS = f"{ROOT}/sessions"


def names(response: Any) -> list[str]:
    assert response.status_code == 200, response.content
    return [item["name"] for item in response.json()["results"]]


def test_a_launch_answers_where_the_session_is(as_owner: APIClient, world: World) -> None:
    response = as_owner.post(
        SESSIONS,
        {
            "template": "firefox",
            "display_name": "Research",
            "resources": {"cpu": "1500m", "memory": "2Gi"},
            "persistent_home": False,
            "idle_timeout": "1h30m",
        },
        format="json",
    )
    assert response.status_code == 201
    body = response.json()
    assert response.headers["Location"] == f"{SESSIONS}/{body['name']}"
    assert as_owner.get(response.headers["Location"]).json() == body
    assert body["owner"] == "owner"
    assert body["display_name"] == "Research"
    assert body["template"] == "firefox"
    assert body["revision"] == 1
    assert body["resources"] == {"cpu": "1500m", "memory": "2Gi"}
    assert body["persistent_home"] is False
    assert body["idle_timeout"] == "1h30m"
    assert (body["desired_state"], body["display_state"]) == ("running", "starting")
    assert body["generation"] > body["observed_generation"]
    assert body["url"] == f"http://localhost:8000/sessions/{body['name']}/enter"
    assert body["stream_url"] == f"http://{body['name']}.localhost:8000"


def test_what_a_launch_leaves_open_the_template_decides(as_owner: APIClient, world: World) -> None:
    make_template(
        "editor",
        idleTimeout="2h",
        maxSessionDuration="8h",
        defaultResources={"requests": {"cpu": "250m", "memory": "768Mi"}},
    )
    body = as_owner.post(SESSIONS, {"template": "editor"}, format="json").json()
    assert body["display_name"] == "Editor"
    assert body["resources"] == {"cpu": "250m", "memory": "768Mi"}
    assert (body["idle_timeout"], body["max_duration"]) == ("2h", "8h")
    assert body["persistent_home"] is True


def test_templates_that_cannot_be_launched_say_why(as_owner: APIClient, world: World) -> None:
    make_template("away", launchable=False)
    missing = as_owner.post(SESSIONS, {"template": "nothing"}, format="json")
    away = as_owner.post(SESSIONS, {"template": "away"}, format="json")
    assert (missing.status_code, missing.json()["error"]) == (404, "template_not_found")
    assert (away.status_code, away.json()["error"]) == (409, "template_unavailable")
    assert away.json()["message"] == "Not here. Buy."


def test_over_the_quota_the_answer_names_limits_and_candidates(
    as_owner: APIClient, world: World
) -> None:
    set_quota(user=world.owner, max_running=1)
    response = as_owner.post(SESSIONS, {"template": "firefox"}, format="json")
    body = response.json()
    assert (response.status_code, body["error"]) == (403, "quota_exceeded")
    assert body["details"]["exceeded"] == [
        {"resource": "running", "used": 1, "requested": 1, "limit": 1}
    ]
    assert body["details"]["could_hibernate"][0]["name"] == world.session.name


# --- Whose it is ------------------------------------------------------------------------------


@pytest.mark.parametrize("owner", ["owner", "superuser", "nobody"])
def test_users_launch_for_themselves_only(as_stranger: APIClient, world: World, owner: str) -> None:
    response = as_stranger.post(SESSIONS, {"template": "firefox", "owner": owner}, format="json")
    assert response.status_code == 403
    assert not Session.objects.exclude(pk=world.session.pk).exists()


def test_staff_launch_for_others_and_the_history_says_who(
    as_staff: APIClient, world: World
) -> None:
    body = as_staff.post(
        SESSIONS, {"template": "firefox", "owner": "stranger"}, format="json"
    ).json()
    assert body["owner"] == "stranger"
    event = SessionEvent.objects.get(session__name=body["name"])
    assert event.actor == world.staff
    unknown = as_staff.post(SESSIONS, {"template": "firefox", "owner": "nobody"}, format="json")
    assert (unknown.status_code, unknown.json()["error"]) == (404, "user_not_found")


@pytest.mark.parametrize(
    "attempt",
    [
        {"owner": "stranger"},
        {"phase": "Running"},
        {"generation": 7},
        {"desired_state": "terminated"},
        {"cpu_millicores": 1},
    ],
)
def test_what_is_not_a_clients_to_set_is_refused(
    as_owner: APIClient, world: World, attempt: dict[str, Any]
) -> None:
    before = Session.objects.values().get(pk=world.session.pk)
    response = as_owner.patch(
        f"{SESSIONS}/{world.session.name}", {"display_name": "x", **attempt}, format="json"
    )
    assert response.status_code == 400
    assert Session.objects.values().get(pk=world.session.pk) == before


def test_everyones_sessions_are_for_staff(
    as_owner: APIClient, as_staff: APIClient, as_stranger: APIClient, world: World
) -> None:
    mine = world.session.name
    assert names(as_owner.get(SESSIONS)) == [mine]
    assert names(as_stranger.get(SESSIONS)) == []
    assert names(as_staff.get(SESSIONS)) == []
    assert names(as_staff.get(SESSIONS, {"everyone": "true"})) == [mine]
    assert names(as_staff.get(SESSIONS, {"everyone": "true", "owner": "stranger"})) == []
    assert as_owner.get(SESSIONS, {"everyone": "true"}).status_code == 403


# --- Life -------------------------------------------------------------------------------------


def test_the_life_of_a_session(as_owner: APIClient, world: World) -> None:
    address = f"{SESSIONS}/{world.session.name}"
    hibernated = as_owner.post(f"{address}/hibernate")
    assert (hibernated.status_code, hibernated.json()["display_state"]) == (202, "hibernating")
    refused = as_owner.post(f"{address}/extend")
    assert (refused.status_code, refused.json()["error"]) == (409, "not_running")
    woken = as_owner.post(f"{address}/wake")
    assert (woken.status_code, woken.json()["desired_state"]) == (202, "running")
    assert woken.json()["generation"] > hibernated.json()["generation"]
    gone = as_owner.delete(address)
    assert (gone.status_code, gone.json()["display_state"]) == (202, "terminating")
    again = as_owner.delete(address)
    assert (again.status_code, again.json()["version"]) == (202, gone.json()["version"])
    for late in (as_owner.post(f"{address}/wake"), as_owner.post(f"{address}/hibernate")):
        assert (late.status_code, late.json()["error"]) == (409, "terminated")
    kinds = [e["kind"] for e in as_owner.get(f"{address}/events").json()["results"]]
    assert kinds == ["terminate_requested", "wake_requested", "hibernate_requested", "launched"]


def test_extending_moves_the_deadline(as_owner: APIClient, world: World) -> None:
    long_ago = timezone.now() - timedelta(minutes=20)
    Session.objects.update(
        phase=Phase.RUNNING,
        running_since=long_ago,
        last_activity_at=long_ago,
        start_requested_at=long_ago,
    )
    address = f"{SESSIONS}/{world.session.name}"
    before = as_owner.get(address).json()["idle_deadline"]
    assert as_owner.post(f"{address}/extend").json()["idle_deadline"] > before


def test_a_newer_revision_is_announced_not_applied(as_owner: APIClient, world: World) -> None:
    address = f"{SESSIONS}/{world.session.name}"
    assert as_owner.get(address).json()["update_available"] is False
    make_template("firefox", description="newer")
    body = as_owner.get(address).json()
    assert (body["revision"], body["update_available"]) == (1, True)


def test_a_session_outlives_its_template_in_the_api(as_owner: APIClient, world: World) -> None:
    world.template.__class__.objects.filter(pk=world.template.pk).update(current_revision=None)
    world.template.delete()
    body = as_owner.get(f"{SESSIONS}/{world.session.name}").json()
    assert (body["template"], body["update_available"]) == ("firefox", False)


# --- Lists ------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", DisplayState.values)
def test_lists_filter_by_the_word_on_the_card(
    as_owner: APIClient, world: World, state: str
) -> None:
    every = [(desired, phase) for desired in DesiredState.values for phase in Phase.values]
    template = Session.objects.get()
    rows = []
    for number, (desired, phase) in enumerate(every):
        fields = {
            field.attname: getattr(template, field.attname)
            for field in Session._meta.concrete_fields
            if field.name not in ("id", "name", "desired_state", "phase")
        }
        rows.append(Session(name=f"s-{number}", desired_state=desired, phase=phase, **fields))
    Session.objects.all().delete()
    Session.objects.bulk_create(rows)
    found = as_owner.get(SESSIONS, {"state": state}).json()["results"]
    assert found
    assert {item["display_state"] for item in found} == {state}
    assert len(found) == sum(row.display_state == state for row in rows)
    assert Session.objects.filter(in_state(state)).count() == len(found)


def test_lists_leave_out_what_is_over_unless_asked(as_owner: APIClient, world: World) -> None:
    Session.objects.update(phase=Phase.TERMINATED, desired_state=DesiredState.TERMINATED)
    mine = [world.session.name]
    assert names(as_owner.get(SESSIONS)) == []
    assert names(as_owner.get(SESSIONS, {"include_terminated": "false"})) == []
    assert names(as_owner.get(SESSIONS, {"include_terminated": "true"})) == mine
    assert names(as_owner.get(SESSIONS, {"state": "terminated"})) == mine
    assert names(as_owner.get(SESSIONS, {"phase": "Terminated"})) == mine
    assert as_owner.get(f"{SESSIONS}/{world.session.name}").status_code == 200


def test_lists_search_and_filter(as_owner: APIClient, world: World) -> None:
    make_template("editor")
    other = services.launch(world.owner, "editor").name
    assert names(as_owner.get(SESSIONS)) == [other, world.session.name]
    assert names(as_owner.get(SESSIONS, {"search": "EDIT"})) == [other]
    assert names(as_owner.get(SESSIONS, {"template": "firefox"})) == [world.session.name]
    assert names(as_owner.get(SESSIONS, {"phase": "Running"})) == []


@pytest.mark.parametrize(
    ("asked", "given"), [("2", 2), ("1000000", 200), ("0", 50), ("-3", 50), ("x", 50)]
)
def test_pages_are_limited(as_owner: APIClient, world: World, asked: str, given: int) -> None:
    many(world, 210)
    body = as_owner.get(SESSIONS, {"page_size": asked}).json()
    assert body["count"] == 211
    assert len(body["results"]) == given
    assert body["previous"] is None
    assert "page=2" in body["next"]


def test_pages_cover_everything_once(as_owner: APIClient, world: World) -> None:
    many(world, 130)
    Session.objects.update(created_at=timezone.now())
    seen: list[str] = []
    for page in (1, 2, 3):
        seen += names(as_owner.get(SESSIONS, {"page": page}))
    assert len(seen) == len(set(seen)) == 131


def test_a_list_takes_few_queries_however_long(as_staff: APIClient, world: World) -> None:
    many(world, 120)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        body = as_staff.get(SESSIONS, {"everyone": "true", "page_size": "120"}).json()
    assert len(body["results"]) == 120
    assert len(queries) <= 5, [query["sql"] for query in queries]


def test_the_serializer_makes_no_query(world: World) -> None:
    sessions = list(visible_to(world.owner))
    with CaptureQueriesContext(connection) as queries:
        assert SessionSerializer(sessions, many=True).data  # type: ignore[arg-type]
    assert not queries.captured_queries


def many(world: World, count: int) -> None:
    session = Session.objects.get(pk=world.session.pk)
    fields = {
        field.attname: getattr(session, field.attname)
        for field in Session._meta.concrete_fields
        if field.name not in ("id", "name")
    }
    Session.objects.bulk_create(Session(name=f"many-{n}", **fields) for n in range(count))


# --- Events and the caller --------------------------------------------------------------------


def test_events_are_the_callers_own_and_everybodys_for_staff(
    as_owner: APIClient, as_stranger: APIClient, as_staff: APIClient, world: World
) -> None:
    services.hibernate(world.session.pk, actor=world.staff)
    [first, second] = as_owner.get(f"{ROOT}/events").json()["results"]
    assert (first["kind"], first["actor"], first["session"]) == (
        "hibernate_requested",
        "staff",
        world.session.name,
    )
    assert second["kind"] == "launched"
    assert as_stranger.get(f"{ROOT}/events").json()["count"] == 0
    assert as_staff.get(f"{ROOT}/events").json()["count"] == 2
    assert as_owner.get(f"{ROOT}/events", {"kind": "launched"}).json()["count"] == 1
    assert as_owner.get(f"{ROOT}/events", {"session": "other"}).json()["count"] == 0


def test_me_tells_limits_and_use(as_owner: APIClient, world: World) -> None:
    Quota.objects.create(max_sessions=5, max_cpu_millicores=4000)
    body = as_owner.get(f"{ROOT}/users/me").json()
    assert body["username"] == "owner"
    assert body["limits"]["sessions"] == 5
    assert body["limits"]["memory_mib"] is None
    assert body["use"] == {
        "sessions": 1,
        "running": 1,
        "cpu_millicores": 500,
        "memory_mib": 512,
        "storage_mib": 10240,
    }


def test_a_cookie_needs_the_csrf_token(world: World) -> None:
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(world.owner)
    assert names(client.get(SESSIONS)) == [world.session.name]
    refused = client.post(SESSIONS, {"template": "firefox"}, format="json")
    assert (refused.status_code, refused.json()["error"]) == (403, "permission_denied")
    by_token = client_of(world.owner).post(SESSIONS, {"template": "firefox"}, format="json")
    assert by_token.status_code == 201
