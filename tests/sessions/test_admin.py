"""The operator's console: pages load, actions go through the services, others stay out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib import admin
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from sessions.models import Home, Session, SessionEvent
from streamspace.accounts.models import Quota
from templates_app.models import Template, TemplateRevision
from tests.making import fresh, make_guest, make_session, make_template, make_user

pytestmark = pytest.mark.django_db

MODELS = [m for m in admin.site._registry if m.__module__.split(".")[0] != "allauth"]
OURS = (Session, Home, Template, TemplateRevision)


@pytest.fixture
def operator(client: Client) -> Client:
    client.force_login(make_user("operator", is_staff=True, is_superuser=True))
    return client


def page(model: type[Model], name: str, *arguments: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=arguments)


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.__name__)
def test_every_list_loads(operator: Client, model: type[Model]) -> None:
    session = make_session(explanation={"reason": "X", "message": "Y", "log": ["<b id=log>"]})
    make_guest(session)
    Quota.objects.get_or_create(user=None, group=None)
    assert operator.get(page(model, "changelist")).status_code == 200
    assert operator.get(page(model, "changelist"), {"q": "jo"}).status_code in {200, 302}


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.__name__)
def test_every_record_s_page_loads(operator: Client, model: type[Model]) -> None:
    session = make_session(explanation={"reason": "X", "message": "Y", "log": ["<b id=log>"]})
    make_guest(session)
    Quota.objects.get_or_create(user=None, group=None)
    record = model._default_manager.first()
    if record is not None:
        answer = operator.get(page(model, "change", record.pk))
        assert answer.status_code == 200
        assert b"<b id=log>" not in answer.content


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.__name__)
def test_every_form_for_a_new_record_loads_or_is_not_offered(
    operator: Client, model: type[Model]
) -> None:
    answer = operator.get(page(model, "add"))
    closed = model in (Session, Home, TemplateRevision)
    assert answer.status_code in ({403} if closed else {200, 403})


@pytest.mark.parametrize("model", OURS, ids=lambda m: m.__name__)
@pytest.mark.parametrize("who", ["nobody", "user"])
def test_only_staff_get_in(client: Client, model: type[Model], who: str) -> None:
    if who == "user":
        client.force_login(make_user())
    answer = client.get(page(model, "changelist"))
    assert answer.status_code == 302
    assert "/login/" in answer.headers["Location"]


def test_staff_who_are_no_superusers_see_sessions_with_their_history(client: Client) -> None:
    client.force_login(make_user(is_staff=True))
    session = make_session()
    assert client.get(page(Session, "changelist")).status_code == 200
    assert b"Launched" in client.get(page(Session, "change", session.pk)).content


@pytest.mark.parametrize("over", ["", "yes", "all"])
def test_what_is_over_is_left_out_unless_asked_for(operator: Client, over: str) -> None:
    live, gone = make_session(), make_session(phase="Terminated")
    content = operator.get(page(Session, "changelist"), {"over": over} if over else {}).content
    assert (live.name.encode() in content) is (over != "yes")
    assert (gone.name.encode() in content) is (over != "")


def act(operator: Client, action: str, *sessions: Session) -> str:
    chosen = {"action": action, "_selected_action": [str(s.pk) for s in sessions]}
    return operator.post(page(Session, "changelist"), chosen, follow=True).content.decode()


@pytest.mark.parametrize(
    ("action", "state", "wish"),
    [
        ("hibernate", {"phase": "Running"}, "hibernated"),
        ("wake", {"phase": "Hibernated", "desired_state": "hibernated"}, "running"),
        ("terminate", {"phase": "Running"}, "terminated"),
    ],
)
def test_actions_are_wishes_like_any_other(
    operator: Client, action: str, state: dict[str, Any], wish: str
) -> None:
    session = make_session(**state)
    assert "1 session asked to" in act(operator, action, session)
    after = fresh(session)
    assert (after.desired_state, after.generation) == (wish, 2)
    event = SessionEvent.objects.filter(session=session).latest("id")
    assert event.actor is not None
    assert event.actor.username == "operator"


def test_what_an_action_cannot_do_is_told_per_session(operator: Client) -> None:
    owner = make_user()
    sound = make_session(owner, phase="Hibernated", desired_state="hibernated")
    over = make_session(owner, desired_state="terminated")
    content = act(operator, "wake", sound, over)
    assert f"Session {over.name}: The session was terminated" in content
    assert fresh(sound).desired_state == "running"


def test_there_is_no_other_way_to_write_a_session(operator: Client) -> None:
    session = make_session()
    change = operator.post(page(Session, "change", session.pk), {"display_name": "x"})
    delete = operator.post(page(Session, "delete", session.pk), {"post": "yes"})
    assert (change.status_code, delete.status_code) == (403, 403)


def test_a_home_is_handed_over_and_never_deleted(operator: Client) -> None:
    home = make_session().home
    assert home is not None
    heir = make_user()
    form = {"owner": heir.pk, "size_mib": home.size_mib}
    assert operator.post(page(Home, "change", home.pk), form).status_code == 302
    home.refresh_from_db()
    assert home.owner == heir
    assert operator.post(page(Home, "delete", home.pk), {"post": "yes"}).status_code == 403


# --- Templates


def save(operator: Client, url: str, spec: object, **fields: object) -> Any:
    text = spec if isinstance(spec, str) else json.dumps(spec)
    return operator.post(url, {"name": "terminal", "enabled": "on", "spec": text, **fields})


SPEC = {"displayName": "Terminal", "appType": "desktop"}


def test_saving_a_changed_spec_makes_a_revision(operator: Client) -> None:
    template = make_template()
    url = page(Template, "change", template.pk)
    assert save(operator, url, SPEC | {"description": "new"}).status_code == 302
    template.refresh_from_db()
    assert template.current_revision is not None
    assert template.current_revision.number == 2
    assert (template.current_revision.source, template.current_revision.origin) == (
        "admin",
        "operator",
    )


def test_saving_the_same_spec_makes_none(operator: Client) -> None:
    template = make_template()
    save(operator, page(Template, "change", template.pk), SPEC, featured="on")
    template.refresh_from_db()
    assert template.featured
    assert TemplateRevision.objects.count() == 1


def test_a_template_is_added_by_its_spec(operator: Client) -> None:
    assert save(operator, page(Template, "add"), SPEC, name="new").status_code == 302
    assert Template.objects.get().display_name == "Terminal"


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (SPEC | {"appType": "game"}, "spec.appType: must be one of desktop, webapp"),
        ({"appType": "desktop"}, "spec: lacks displayName"),
        ([1], "spec: must be of type object"),
        ("{not json", "Enter a valid JSON"),
    ],
)
def test_an_invalid_spec_is_refused_with_its_field(
    operator: Client, spec: object, words: str
) -> None:
    template = make_template()
    answer = save(operator, page(Template, "change", template.pk), spec)
    assert words in answer.content.decode()
    assert TemplateRevision.objects.count() == 1


def test_an_invalid_name_is_refused(operator: Client) -> None:
    answer = save(operator, page(Template, "add"), SPEC, name="Upper_Case")
    assert "metadata.name" in answer.content.decode()
    assert not Template.objects.exists()


def test_templates_are_switched_off_from_the_list(operator: Client) -> None:
    template = make_template()
    form = {
        "form-TOTAL_FORMS": "1",
        "form-INITIAL_FORMS": "1",
        "form-0-id": str(template.pk),
        "_save": "Save",
    }
    assert operator.post(page(Template, "changelist"), form).status_code == 302
    template.refresh_from_db()
    assert not template.enabled
    assert TemplateRevision.objects.count() == 1


def test_a_template_in_use_can_be_deleted_and_its_sessions_go_on(operator: Client) -> None:
    session = make_session()
    template = session.template
    assert template is not None
    url = page(Template, "delete", template.pk)
    assert operator.post(url, {"post": "yes"}).status_code == 302
    after = fresh(session)
    assert (after.template, after.revision.template_name) == (None, "terminal")
