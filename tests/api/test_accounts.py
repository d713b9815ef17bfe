"""People, groups, quotas and tokens over the API: above all, what nobody may do."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from streamspace.accounts.models import ApiToken, Quota, User
from streamspace.accounts.services import MAX_TOKENS, create_token
from tests.api.conftest import ROOT, World, client_of

RIGHTS = [{"is_staff": True}, {"is_superuser": True}, {"groups": ["students"]}]


# --- Rights -----------------------------------------------------------------------------------


@pytest.mark.parametrize("rights", RIGHTS)
@pytest.mark.parametrize("target", ["owner", "staff", "superuser"])
def test_staff_give_no_rights_to_anybody(
    as_staff: APIClient, world: World, rights: dict[str, Any], target: str
) -> None:
    before = User.objects.values().get(username=target)
    response = as_staff.patch(f"{ROOT}/users/{target}", rights, format="json")
    assert (response.status_code, response.json()["error"]) == (403, "permission_denied")
    assert User.objects.values().get(username=target) == before
    assert not User.objects.get(username=target).groups.exists()


@pytest.mark.parametrize("rights", RIGHTS)
def test_staff_make_no_people_with_rights(
    as_staff: APIClient, world: World, rights: dict[str, Any]
) -> None:
    response = as_staff.post(f"{ROOT}/users", {"username": "new", **rights}, format="json")
    assert response.status_code == 403
    assert not User.objects.filter(username="new").exists()


@pytest.mark.parametrize(
    "change",
    [{"password": "another long phrase"}, {"email": "x@example.com"}, {"is_active": False}],
)
@pytest.mark.parametrize("target", ["staff", "superuser"])
def test_staff_do_not_touch_operators(
    as_staff: APIClient, world: World, change: dict[str, Any], target: str
) -> None:
    """Whoever sets an operator's password or address becomes that operator."""
    before = User.objects.values().get(username=target)
    assert as_staff.patch(f"{ROOT}/users/{target}", change, format="json").status_code == 403
    assert User.objects.values().get(username=target) == before


@pytest.mark.parametrize(
    "field", ["id", "pk", "user_permissions", "last_login", "date_joined", "quota", "username"]
)
def test_other_fields_of_a_user_are_refused(
    as_superuser: APIClient, world: World, field: str
) -> None:
    before = User.objects.values().get(username="owner")
    response = as_superuser.patch(f"{ROOT}/users/owner", {field: 1}, format="json")
    assert (response.status_code, list(response.json()["details"])) == (400, [field])
    assert User.objects.values().get(username="owner") == before


def test_superusers_give_rights(as_superuser: APIClient, world: World) -> None:
    body = as_superuser.patch(
        f"{ROOT}/users/owner", {"is_staff": True, "groups": ["students"]}, format="json"
    ).json()
    assert (body["is_staff"], body["groups"]) == (True, ["students"])
    unknown = as_superuser.patch(f"{ROOT}/users/owner", {"groups": ["x"]}, format="json")
    assert (unknown.status_code, list(unknown.json()["details"])) == (400, ["groups"])


@pytest.mark.parametrize("change", [{"is_active": False}, {"is_superuser": False}])
def test_superusers_do_not_shut_themselves_out(
    as_superuser: APIClient, world: World, change: dict[str, Any]
) -> None:
    response = as_superuser.patch(f"{ROOT}/users/superuser", change, format="json")
    assert response.status_code == 403


# --- People -----------------------------------------------------------------------------------


def test_staff_make_people_who_can_sign_in(as_staff: APIClient, world: World) -> None:
    body = {"username": "ada", "password": "correct horse battery", "email": "ada@example.com"}
    response = as_staff.post(f"{ROOT}/users", body, format="json")
    assert response.status_code == 201
    assert "password" not in response.json()
    user = User.objects.get(username="ada")
    assert user.check_password("correct horse battery")
    assert (user.is_staff, user.is_superuser) == (False, False)


def test_people_without_password_sign_in_elsewhere(as_staff: APIClient, world: World) -> None:
    as_staff.post(f"{ROOT}/users", {"username": "ada"}, format="json")
    assert not User.objects.get(username="ada").has_usable_password()


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"username": "owner"}, 409, "username_taken"),
        ({"username": "me"}, 400, "invalid_request"),
        ({"username": "a b"}, 400, "invalid_request"),
        ({"username": "a/b"}, 400, "invalid_request"),
        ({"username": ""}, 400, "invalid_request"),
        ({"username": "x" * 151}, 400, "invalid_request"),
        ({"username": "ada", "password": "short"}, 400, "invalid_request"),
        ({"username": "ada", "email": "nowhere"}, 400, "invalid_request"),
    ],
)
def test_people_that_cannot_be(
    as_staff: APIClient, world: World, body: dict[str, str], status: int, code: str
) -> None:
    response = as_staff.post(f"{ROOT}/users", body, format="json")
    assert (response.status_code, response.json()["error"]) == (status, code)


@pytest.mark.parametrize("change", [{"is_active": False}, {"password": "another long phrase"}])
def test_who_is_shut_out_or_reset_loses_their_tokens(
    as_staff: APIClient, as_owner: APIClient, world: World, change: dict[str, Any]
) -> None:
    assert as_staff.patch(f"{ROOT}/users/owner", change, format="json").status_code == 200
    assert as_owner.get(f"{ROOT}/users/me").status_code == 401
    assert not ApiToken.objects.filter(user=world.owner).exists()


def test_lists_of_people_filter_in_few_queries(as_staff: APIClient, world: World) -> None:
    world.owner.groups.add(world.group)
    User.objects.bulk_create(User(username=f"user-{n}") for n in range(40))
    with CaptureQueriesContext(connection) as queries:
        body = as_staff.get(f"{ROOT}/users").json()
    assert (body["count"], len(queries)) == (44, 4)
    for query, expected in (
        ({"search": "OWN"}, ["owner"]),
        ({"group": "students"}, ["owner"]),
        ({"is_staff": "true"}, ["staff", "superuser"]),
    ):
        found = as_staff.get(f"{ROOT}/users", query).json()["results"]
        assert [item["username"] for item in found] == expected


# --- Groups and quotas ------------------------------------------------------------------------


def test_groups_are_named_once_and_count_members(as_superuser: APIClient, world: World) -> None:
    world.owner.groups.add(world.group)
    taken = as_superuser.post(f"{ROOT}/groups", {"name": "students"}, format="json")
    assert (taken.status_code, taken.json()["error"]) == (409, "group_exists")
    made = as_superuser.post(f"{ROOT}/groups", {"name": "teachers"}, format="json").json()
    renamed = as_superuser.patch(f"{ROOT}/groups/{made['id']}", {"name": "students"}, format="json")
    assert renamed.status_code == 409
    [group] = as_superuser.get(f"{ROOT}/groups").json()["results"][:1]
    assert (group["name"], group["members"]) == ("students", 1)
    assert as_superuser.delete(f"{ROOT}/groups/{made['id']}").status_code == 204
    assert not Group.objects.filter(name="teachers").exists()


def test_there_is_one_quota_per_user_group_and_default(as_staff: APIClient, world: World) -> None:
    for body, kind in (
        ({"max_sessions": 3}, "default"),
        ({"user": "owner", "max_running": 0}, "user"),
    ):
        made = as_staff.post(f"{ROOT}/quotas", body, format="json")
        assert (made.status_code, made.json()["kind"]) == (201, kind)
        again = as_staff.post(f"{ROOT}/quotas", body, format="json")
        assert (again.status_code, again.json()["error"]) == (409, "quota_exists")
        [found] = as_staff.get(f"{ROOT}/quotas", {"kind": kind}).json()["results"]
        assert found == made.json()


@pytest.mark.parametrize(
    "body",
    [
        {"user": "nobody"},
        {"group": "nothing"},
        {"user": "owner", "group": "students"},
        {"max_sessions": -1},
        {"max_sessions": 2**31},
        {"max_sessions": "3"},
        {"max_sessions": 1.5},
        {"max_sessions": True},
        {"max_gpu": 1},
    ],
)
def test_quotas_that_cannot_be(as_staff: APIClient, world: World, body: dict[str, Any]) -> None:
    assert as_staff.post(f"{ROOT}/quotas", body, format="json").status_code == 400
    assert Quota.objects.count() == 1


def test_a_limit_is_lifted_with_null(as_staff: APIClient, world: World) -> None:
    address = f"{ROOT}/quotas/{world.quota.pk}"
    body = as_staff.patch(address, {"max_sessions": None, "max_running": 2}, format="json").json()
    assert (body["max_sessions"], body["max_running"]) == (None, 2)
    moved = as_staff.patch(address, {"user": "owner"}, format="json")
    assert moved.status_code == 400


def test_staff_do_not_set_their_own_quota(as_staff: APIClient, world: World) -> None:
    own = Quota.objects.create(user=world.staff, max_sessions=1)
    address = f"{ROOT}/quotas/{own.pk}"
    assert as_staff.patch(address, {"max_sessions": 9}, format="json").status_code == 403
    assert as_staff.delete(address).status_code == 403
    own.delete()
    made = as_staff.post(f"{ROOT}/quotas", {"user": "staff", "max_sessions": 9}, format="json")
    assert made.status_code == 403


# --- Tokens -----------------------------------------------------------------------------------


def test_a_tokens_secret_is_shown_once_and_stored_never(world: World) -> None:
    browser = APIClient()
    browser.force_login(world.owner)
    made = browser.post(f"{ROOT}/tokens", {"name": "ci", "lifetime": "1d"}, format="json")
    assert made.status_code == 201
    secret = made.json()["token"]
    listed = browser.get(f"{ROOT}/tokens")
    assert secret not in listed.content.decode()
    stored = ApiToken.objects.values().get(token_key=made.json()["id"])
    assert secret not in str(stored)
    program = APIClient()
    program.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    assert program.get(f"{ROOT}/users/me").json()["username"] == "owner"
    [current] = [t for t in program.get(f"{ROOT}/tokens").json()["results"] if t["current"]]
    assert current["id"] == made.json()["id"]


def test_a_revoked_token_is_worthless_at_once(as_owner: APIClient, world: World) -> None:
    program = client_of(world.owner)
    key = program.token.token_key  # type: ignore[attr-defined]
    assert as_owner.delete(f"{ROOT}/tokens/{key}").status_code == 204
    assert program.get(f"{ROOT}/users/me").status_code == 401
    assert as_owner.delete(f"{ROOT}/tokens/{key}").status_code == 404


def test_a_token_ends_by_itself(world: World) -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        program = client_of(world.owner, lifetime=timedelta(hours=1))
        assert program.get(f"{ROOT}/users/me").status_code == 200
        clock.shift(timedelta(hours=1))
        assert program.get(f"{ROOT}/users/me").status_code == 401


def test_a_token_cannot_prolong_itself(world: World, settings: Any) -> None:
    program = client_of(world.owner, lifetime=timedelta(hours=1))
    parent: ApiToken = program.token  # type: ignore[attr-defined]
    refused = program.post(f"{ROOT}/tokens", {"name": "x", "lifetime": "2h"}, format="json")
    assert (refused.status_code, list(refused.json()["details"])) == (400, ["lifetime"])
    made = program.post(f"{ROOT}/tokens", {"name": "x"}, format="json").json()
    child = ApiToken.objects.get(token_key=made["id"])
    assert child.expiry is not None
    assert parent.expiry is not None
    assert child.expiry <= parent.expiry


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": "x" * 101},
        {"name": "x", "lifetime": "91d"},
        {"name": "x", "lifetime": "0s"},
        {"name": "x", "lifetime": 60},
        {"name": "x", "user": "superuser"},
        {"name": "x", "expiry": None},
    ],
)
def test_tokens_that_cannot_be(as_owner: APIClient, body: dict[str, Any]) -> None:
    before = ApiToken.objects.count()
    assert as_owner.post(f"{ROOT}/tokens", body, format="json").status_code == 400
    assert ApiToken.objects.count() == before


def test_nobody_collects_tokens_without_end(as_owner: APIClient, world: World) -> None:
    have = ApiToken.objects.filter(user=world.owner).count()
    for number in range(MAX_TOKENS - have):
        create_token(world.owner, f"t{number}")
    response = as_owner.post(f"{ROOT}/tokens", {"name": "x"}, format="json")
    assert (response.status_code, response.json()["error"]) == (409, "too_many_tokens")


def test_expired_tokens_make_room(as_owner: APIClient, world: World) -> None:
    past = timezone.now() - timedelta(seconds=1)
    for number in range(MAX_TOKENS - ApiToken.objects.filter(user=world.owner).count()):
        token, _ = create_token(world.owner, f"t{number}")
        ApiToken.objects.filter(pk=token.pk).update(expiry=past)
    assert as_owner.post(f"{ROOT}/tokens", {"name": "x"}, format="json").status_code == 201
    assert not ApiToken.objects.filter(expiry__lte=past).exists()


def test_signing_in_by_token_takes_one_query(as_owner: APIClient, world: World) -> None:
    for number in range(10):
        create_token(world.owner, f"t{number}")
    with CaptureQueriesContext(connection) as queries:
        as_owner.get(f"{ROOT}/tokens/x")
    assert len([q for q in queries if "accounts_apitoken" in q["sql"]]) <= 1
