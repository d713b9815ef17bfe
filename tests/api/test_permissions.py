"""Each route of the API, and who may call it. A route without a line here fails the first test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import pytest
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from rest_framework.test import APIClient

from streamspace.accounts.services import create_token
from tests.api.conftest import World

Access = Literal["public", "signed-in", "owner", "staff", "superuser"]


class Rule(NamedTuple):
    """Who may call a route, and what the least privileged of them gets."""

    access: Access
    status: int = 200
    body: dict[str, Any] | None = None


RULES: dict[tuple[str, str], Rule] = {
    ("health", "get"): Rule("public"),
    ("version", "get"): Rule("public"),
    ("schema", "get"): Rule("public"),
    ("docs", "get"): Rule("public"),
    ("me", "get"): Rule("signed-in"),
    ("events", "get"): Rule("signed-in"),
    ("sessions", "get"): Rule("signed-in"),
    ("sessions", "post"): Rule("signed-in", 201, {"template": "firefox"}),
    ("session", "get"): Rule("owner"),
    ("session", "patch"): Rule("owner", 200, {"display_name": "New"}),
    ("session", "delete"): Rule("owner", 202),
    ("session-hibernate", "post"): Rule("owner", 202),
    ("session-wake", "post"): Rule("owner", 202),
    ("session-extend", "post"): Rule("owner"),
    ("session-terminate", "post"): Rule("owner", 202),
    ("session-events", "get"): Rule("owner"),
    ("session-shares", "get"): Rule("owner"),
    ("session-shares", "post"): Rule("owner", 201, {"user": "staff", "role": "view"}),
    ("session-share", "delete"): Rule("owner", 204),
    ("templates", "get"): Rule("signed-in"),
    ("template", "get"): Rule("signed-in"),
    ("template", "patch"): Rule("staff", 200, {"featured": True}),
    ("template-favourite", "put"): Rule("signed-in", 204),
    ("template-favourite", "delete"): Rule("signed-in", 204),
    ("template-revisions", "get"): Rule("signed-in"),
    ("users", "get"): Rule("staff"),
    ("users", "post"): Rule("staff", 201, {"username": "new"}),
    ("user", "get"): Rule("staff"),
    ("user", "patch"): Rule("staff", 200, {"first_name": "Ada"}),
    ("groups", "get"): Rule("staff"),
    ("groups", "post"): Rule("superuser", 201, {"name": "teachers"}),
    ("group", "get"): Rule("staff"),
    ("group", "patch"): Rule("superuser", 200, {"name": "pupils"}),
    ("group", "delete"): Rule("superuser", 204),
    ("quotas", "get"): Rule("staff"),
    ("quotas", "post"): Rule("staff", 201, {"user": "owner", "max_sessions": 9}),
    ("quota", "get"): Rule("staff"),
    ("quota", "patch"): Rule("staff", 200, {"max_running": 3}),
    ("quota", "delete"): Rule("staff", 204),
    ("tokens", "get"): Rule("signed-in"),
    ("tokens", "post"): Rule("signed-in", 201, {"name": "script"}),
    ("token", "delete"): Rule("owner", 204),
}


def routes(patterns: Any = None, inside: bool = False) -> Iterator[tuple[str, str]]:
    """(name, method) of all that is routed below ``/api/``."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        if isinstance(pattern, URLResolver):
            below = inside or pattern.app_name == "api"
            if below:
                yield from routes(pattern.url_patterns, inside=True)
        elif isinstance(pattern, URLPattern) and inside and pattern.name:
            view: Any = pattern.callback
            handled = getattr(view, "actions", None) or dir(view.cls)
            yield from ((pattern.name, method) for method in METHODS if method in handled)


METHODS = ("get", "post", "put", "patch", "delete")


def address(name: str, world: World) -> str:
    parameters: dict[str, dict[str, Any]] = {
        "session": {"name": world.session.name},
        "template": {"name": world.template.name},
        "user": {"username": world.owner.username},
        "group": {"pk": world.group.pk},
        "quota": {"pk": world.quota.pk},
        "token": {"token_key": world.token.token_key},
        "session-share": {"name": world.session.name, "username": "staff"},
    }
    kind = next((k for k in (name, name.split("-")[0]) if k in parameters), "")
    return reverse(f"api:{name}", kwargs=parameters.get(kind, {}))


def call(client: APIClient, world: World, route: tuple[str, str]) -> Any:
    name, method = route
    return getattr(client, method)(address(name, world), RULES[route].body, format="json")


def those(*access: Access) -> list[tuple[str, str]]:
    return [route for route, rule in RULES.items() if rule.access in access]


def test_every_route_has_a_rule() -> None:
    assert set(routes()) == set(RULES)


@pytest.mark.parametrize("route", those("public"))
def test_public_routes_need_no_sign_in(
    anonymous: APIClient, world: World, route: tuple[str, str]
) -> None:
    assert call(anonymous, world, route).status_code == 200


@pytest.mark.parametrize("route", those("signed-in", "owner", "staff", "superuser"))
def test_strangers_to_the_installation_are_asked_to_sign_in(
    anonymous: APIClient, world: World, route: tuple[str, str]
) -> None:
    response = call(anonymous, world, route)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert response.json()["error"] == "not_authenticated"


@pytest.mark.parametrize("route", those("owner"))
def test_what_belongs_to_another_user_does_not_exist(
    as_stranger: APIClient, world: World, route: tuple[str, str]
) -> None:
    assert call(as_stranger, world, route).status_code == 404


@pytest.mark.parametrize("route", those("staff", "superuser"))
def test_administration_is_refused_to_users(
    as_stranger: APIClient, world: World, route: tuple[str, str]
) -> None:
    response = call(as_stranger, world, route)
    assert (response.status_code, response.json()["error"]) == (403, "permission_denied")


@pytest.mark.parametrize("route", those("superuser"))
def test_what_gives_rights_is_refused_to_staff(
    as_staff: APIClient, world: World, route: tuple[str, str]
) -> None:
    assert call(as_staff, world, route).status_code == 403


@pytest.mark.parametrize("route", those("signed-in"))
def test_signed_in_routes_serve_every_user(
    as_stranger: APIClient, world: World, route: tuple[str, str]
) -> None:
    assert call(as_stranger, world, route).status_code == RULES[route].status


@pytest.mark.parametrize("route", those("owner"))
def test_owners_are_served(as_owner: APIClient, world: World, route: tuple[str, str]) -> None:
    assert call(as_owner, world, route).status_code == RULES[route].status


@pytest.mark.parametrize(
    "route", [r for r in those("owner") if r[0] != "token" and r != ("session-shares", "post")]
)
def test_staff_manage_everybodys_sessions(
    as_staff: APIClient, world: World, route: tuple[str, str]
) -> None:
    assert call(as_staff, world, route).status_code == RULES[route].status


def test_not_even_superusers_share_what_is_not_theirs(
    as_superuser: APIClient, world: World
) -> None:
    assert call(as_superuser, world, ("session-shares", "post")).status_code == 403


def test_not_even_superusers_reach_other_peoples_tokens(
    as_superuser: APIClient, world: World
) -> None:
    assert call(as_superuser, world, ("token", "delete")).status_code == 404


@pytest.mark.parametrize("route", those("staff"))
def test_staff_administer(as_staff: APIClient, world: World, route: tuple[str, str]) -> None:
    assert call(as_staff, world, route).status_code == RULES[route].status


@pytest.mark.parametrize("route", those("superuser"))
def test_superusers_do_the_rest(
    as_superuser: APIClient, world: World, route: tuple[str, str]
) -> None:
    assert call(as_superuser, world, route).status_code == RULES[route].status


@pytest.mark.parametrize("route", those("signed-in", "owner", "staff", "superuser"))
def test_who_was_shut_out_is_refused(world: World, route: tuple[str, str]) -> None:
    _, secret = create_token(world.superuser, "mine")
    type(world.superuser).objects.filter(pk=world.superuser.pk).update(is_active=False)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    assert call(client, world, route).status_code == 401
