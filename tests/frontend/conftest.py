"""People with browsers, and makers of templates and sessions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from sessions import services
from sessions.models import Session
from streamspace.accounts.models import User
from templates_app.models import Template, TemplateRevision

MakeTemplate = Callable[..., Template]
MakeSession = Callable[..., Session]
HTMX = {"HX-Request": "true"}


@pytest.fixture
def alice(db: None) -> User:
    return User.objects.create_user("alice", "alice@example.com", "a long passphrase")


@pytest.fixture
def bob(db: None) -> User:
    return User.objects.create_user("bob", "bob@example.com", "a long passphrase")


@pytest.fixture
def browser_of() -> Callable[[User], Client]:
    def make(user: User) -> Client:
        client = Client()
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return make


@pytest.fixture
def alices(alice: User, browser_of: Callable[[User], Client]) -> Client:
    return browser_of(alice)


@pytest.fixture
def bobs(bob: User, browser_of: Callable[[User], Client]) -> Client:
    return browser_of(bob)


@pytest.fixture
def make_template(db: None) -> MakeTemplate:
    def make(
        name: str = "firefox", *, spec: dict[str, Any] | None = None, **fields: Any
    ) -> Template:
        fields = {"display_name": name.title(), "availability": {"launchable": True}, **fields}
        template = Template.objects.create(name=name, **fields)
        revise(template, spec)
        return template

    return make


def revise(template: Template, spec: dict[str, Any] | None = None) -> TemplateRevision:
    """Give the template its next revision."""
    number = template.revisions.count() + 1
    template.current_revision = TemplateRevision.objects.create(
        template=template,
        template_name=template.name,
        number=number,
        content_hash=f"{template.name}-{number}",
        spec=spec or {"defaultResources": {"requests": {"cpu": "500m", "memory": "1Gi"}}},
        origin="catalogue.yaml",
    )
    template.save()
    return template.current_revision


@pytest.fixture
def make_session(make_template: MakeTemplate) -> MakeSession:
    """A session in any state, as the reconciler would have left it."""

    def make(
        owner: User, template: str = "firefox", *, home: bool = True, **fields: Any
    ) -> Session:
        if not Template.objects.filter(name=template).exists():
            make_template(template)
        title = fields.pop("display_name", "")
        session = services.launch(
            owner, template, services.Choices(display_name=title, persistent_home=home)
        )
        for name, value in {"phase": "Running", "step": "", **fields}.items():
            setattr(session, name, value)
        session.save()
        return session

    return make
