"""A small world behind the API: people, a template, a session, and clients with tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib.auth.models import Group
from rest_framework.test import APIClient

from sessions import services as sessions
from sessions.models import Session
from streamspace.accounts.models import ApiToken, Quota, User
from streamspace.accounts.services import create_token
from streamspace.api.throttling import AnonymousThrottle, TokenCreationThrottle
from templates_app import services as templates
from templates_app.choices import Source
from templates_app.models import Template

ROOT = "/api/v1"


def make_template(name: str = "firefox", *, launchable: bool = True, **spec: Any) -> Template:
    whole = {"displayName": name.title(), "appType": "desktop", "category": "Browsers", **spec}
    templates.put(name, whole, source=Source.FILE)
    availability: dict[str, Any] = {"launchable": launchable}
    if not launchable:
        availability |= {"reason": "ProgramNotInstalled", "message": "Not here.", "remedy": "Buy."}
    Template.objects.filter(name=name).update(availability=availability)
    return Template.objects.get(name=name)


def client_of(user: User, **token: Any) -> APIClient:
    """A program that calls with a token of ``user``; its record is ``client.token``."""
    record, secret = create_token(user, "test", **token)
    client = APIClient(raise_request_exception=False)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    client.token = record  # type: ignore[attr-defined]
    return client


@dataclass(frozen=True)
class World:
    """``owner`` has ``session``; ``stranger`` has nothing to do with it."""

    owner: User
    stranger: User
    staff: User
    superuser: User
    template: Template
    session: Session
    group: Group
    quota: Quota
    token: ApiToken


@pytest.fixture
def world(db: None) -> World:
    owner = User.objects.create_user("owner", "owner@example.com", "a long passphrase")
    template = make_template()
    group = Group.objects.create(name="students")
    return World(
        owner=owner,
        stranger=User.objects.create_user("stranger"),
        staff=User.objects.create_user("staff", is_staff=True),
        superuser=User.objects.create_superuser("superuser"),
        template=template,
        session=sessions.launch(owner, template.name, actor=owner),
        group=group,
        quota=Quota.objects.create(group=group, max_sessions=100),
        token=create_token(owner, "own")[0],
    )


@pytest.fixture
def anonymous() -> APIClient:
    return APIClient(raise_request_exception=False)


@pytest.fixture
def as_owner(world: World) -> APIClient:
    return client_of(world.owner)


@pytest.fixture
def as_stranger(world: World) -> APIClient:
    return client_of(world.stranger)


@pytest.fixture
def as_staff(world: World) -> APIClient:
    return client_of(world.staff)


@pytest.fixture
def as_superuser(world: World) -> APIClient:
    return client_of(world.superuser)


@pytest.fixture
def no_rate_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    for throttle in (AnonymousThrottle, TokenCreationThrottle):
        monkeypatch.setattr(throttle, "rate", "1000000/min", raising=False)
