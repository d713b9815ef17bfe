"""The operator's console for templates."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import pytest
from django.test import Client

from streamspace.accounts.models import User
from templates_app import services
from templates_app.choices import Source
from templates_app.models import Template

SPEC: dict[str, Any] = {
    "displayName": "Übersicht",
    "appType": "desktop",
    "baseImage": "example.org/desktop:1",
    "defaultResources": {"requests": {"cpu": "100m", "memory": "256Mi"}},
}


@pytest.fixture
def operator(db: None) -> Client:
    user = User.objects.create_superuser("operator", "o@example.com", "a long passphrase")
    browser = Client()
    browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return browser


@pytest.fixture
def template(db: None) -> Template:
    services.put("overview", SPEC, source=Source.ADMIN, origin="test")
    return Template.objects.get(name="overview")


def shown(browser: Client, template: Template) -> str:
    page = browser.get(f"/admin/templates_app/template/{template.pk}/change/").content.decode()
    found = re.search(r"<textarea[^>]*name=\"spec\"[^>]*>\n?(.*?)</textarea>", page, re.DOTALL)
    assert found, page
    return html.unescape(found[1])


def test_a_spec_is_shown_as_it_is_edited(operator: Client, template: Template) -> None:
    text = shown(operator, template)
    assert isinstance(json.loads(text), dict)
    assert '\n  "displayName": "Übersicht"' in text


def test_a_spec_that_was_not_touched_can_be_saved(operator: Client, template: Template) -> None:
    before = template.current_revision
    answer = operator.post(
        f"/admin/templates_app/template/{template.pk}/change/",
        {"spec": shown(operator, template), "enabled": "on"},
    )
    assert answer.status_code == 302, answer.content.decode()
    template.refresh_from_db()
    assert template.current_revision == before
