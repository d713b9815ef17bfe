"""Users, templates and sessions for tests, made by the product's own services."""

from __future__ import annotations

import itertools
from typing import Any

from sessions import services
from sessions.models import Session, SessionShare
from streamspace.accounts.models import User
from templates_app import services as templates
from templates_app.choices import Source
from templates_app.models import Template

_numbers = itertools.count(1)


def make_user(username: str = "", **fields: Any) -> User:
    username = username or f"user{next(_numbers)}"
    return User.objects.create_user(username, password="a long passphrase", **fields)


def make_template(name: str = "terminal", *, launchable: bool = True, **spec: Any) -> Template:
    whole = {"displayName": name.title(), "appType": "desktop", **spec}
    templates.put(name, whole, source=Source.FILE)
    Template.objects.filter(name=name).update(availability={"launchable": launchable})
    return Template.objects.get(name=name)


def make_session(owner: User | None = None, template: str = "terminal", **fields: Any) -> Session:
    """A launched session; ``fields`` are written over the record's, as if they had come about."""
    if not Template.objects.filter(name=template).exists():
        make_template(template)
    session = services.launch(owner or make_user(), template)
    if fields:
        Session.objects.filter(pk=session.pk).update(**fields)
        session.refresh_from_db()
    return session


def make_guest(session: Session, role: str = "view") -> User:
    guest = make_user()
    SessionShare.objects.create(session=session, user=guest, role=role)
    return guest


def fresh(session: Session) -> Session:
    """The record as it is now."""
    return Session.objects.select_related("owner", "revision", "home").get(pk=session.pk)
