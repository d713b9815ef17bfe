"""The home page: sessions, catalogue, and how much either may cost."""

from __future__ import annotations

import statistics
import time
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from sessions import services
from sessions.models import Session
from streamspace.accounts.models import Quota, User
from templates_app.models import Template, TemplateRevision

from .conftest import HTMX, MakeSession, MakeTemplate, revise

MOST_QUERIES = 20


def text(client: Client, address: str = "/", **headers: str) -> str:
    return client.get(address, headers=headers or None).content.decode()


def catalogue(client: Client, query: str = "") -> str:
    return text(client, f"/{query}", **{**HTMX, "HX-Target": "catalogue"})


def many_templates(count: int) -> None:
    templates = Template.objects.bulk_create(
        Template(
            name=f"app-{n}",
            display_name=f"App {n}",
            description="Does one thing well. " * 20,
            category=f"Category {n % 12}",
            icon=f'<svg xmlns="http://www.w3.org/2000/svg">{n}</svg>' * 20,
            availability={"launchable": n % 5 != 0, "message": "Not here."},
        )
        for n in range(count)
    )
    revisions = TemplateRevision.objects.bulk_create(
        TemplateRevision(
            template=t, template_name=t.name, number=1, content_hash=t.name, spec={"x": "y" * 999}
        )
        for t in templates
    )
    for template, revision in zip(templates, revisions, strict=True):
        template.current_revision = revision
    Template.objects.bulk_update(templates, ["current_revision"], batch_size=200)


def test_someone_without_sessions_is_invited(alices: Client) -> None:
    assert "Nothing runs yet" in text(alices)


def test_my_sessions_are_there_and_others_are_not(
    alice: User, bob: User, alices: Client, make_session: MakeSession
) -> None:
    make_session(alice, display_name="Mine")
    make_session(bob, display_name="Somebody else's")
    page = text(alices)
    assert "Mine" in page
    assert "Somebody else" not in page


def test_a_shared_session_offers_open_only(
    alice: User, bob: User, bobs: Client, make_session: MakeSession
) -> None:
    session = make_session(alice, display_name="Lecture")
    services.share(session.pk, "bob", "view")
    page = text(bobs, "/sessions", **HTMX)
    assert "Shared with you" in page
    assert "you can watch" in page
    assert f"/sessions/{session.name}/enter" in page
    for action in ("hibernate", "terminate", "extend", "wake"):
        assert f"/sessions/{session.name}/{action}" not in page


def test_terminated_sessions_are_gone(
    alice: User, alices: Client, make_session: MakeSession
) -> None:
    make_session(alice, display_name="Old", phase="Terminated", desired_state="terminated")
    assert "Old" not in text(alices)


def test_the_session_that_was_started_last_comes_first(
    alice: User, alices: Client, make_session: MakeSession
) -> None:
    now = timezone.now()
    make_session(alice, display_name="Second", start_requested_at=now - timedelta(hours=1))
    make_session(alice, display_name="First", start_requested_at=now)
    page = text(alices, "/sessions", **HTMX)
    assert page.index("First") < page.index("Second")


def test_the_page_costs_the_same_whatever_there_is(
    alice: User, bob: User, alices: Client, make_session: MakeSession
) -> None:
    many_templates(60)
    for n in range(12):
        services.share(make_session(bob, display_name=f"His {n}").pk, "alice", "view")
    for n in range(30):
        session = make_session(alice, display_name=f"Mine {n}")
        services.share(session.pk, "bob", "view")
    with CaptureQueriesContext(
        connection,
    ) as queries:
        alices.get("/")
    assert len(queries) <= MOST_QUERIES


def test_few_and_many_sessions_cost_the_same(
    alice: User, alices: Client, make_session: MakeSession
) -> None:
    make_session(alice)
    alices.get("/")
    with CaptureQueriesContext(connection) as few:
        alices.get("/")
    for _ in range(20):
        make_session(alice)
    with CaptureQueriesContext(connection) as many:
        alices.get("/")
    assert len(many) == len(few), [query["sql"] for query in many]


def test_more_sessions_than_fit_are_a_press_away(
    alice: User, alices: Client, make_session: MakeSession
) -> None:
    for n in range(26):
        make_session(alice, display_name=f"Number {n}")
    assert "Show more sessions" in text(alices)
    everything = text(alices, "/sessions?shown=48", **HTMX)
    assert everything.count("<article") == 26
    assert "Show more sessions" not in everything


def test_a_large_catalogue_answers_quickly(alices: Client) -> None:
    many_templates(2000)
    alices.get("/")
    took = []
    for query in ["/", "/?q=app+19", "/?category=Category+3", "/?page=2"] * 3:
        started = time.process_time()
        alices.get(query, headers={**HTMX, "HX-Target": "catalogue"})
        took.append(time.process_time() - started)
    # 150 ms is the promise at p95. Processor time, since other tests share the machine's clock.
    assert statistics.median(took) < 0.15


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?q=fire", ["firefox"]),
        ("?q=FIRE+browse", ["firefox"]),
        ("?q=pictures", ["gimp"]),
        ("?q=drawing", ["gimp"]),
        ("?category=Graphics", ["gimp"]),
        ("?q=fire&category=Graphics", []),
        ("?q=%25", []),
        ("?q=%00", ["firefox", "gimp"]),
    ],
)
def test_search_and_category_narrow_the_catalogue(
    query: str, found: list[str], alices: Client, make_template: MakeTemplate
) -> None:
    make_template("firefox", description="Browse the web", category="Browsers")
    make_template("gimp", description="Edit pictures", category="Graphics", tags=["drawing"])
    page = catalogue(alices, query)
    assert [name for name in ("firefox", "gimp") if f"/templates/{name}" in page] == found


def test_a_search_can_be_shared_as_an_address(alices: Client, make_template: MakeTemplate) -> None:
    make_template("firefox")
    make_template("gimp")
    page = text(alices, "/?q=gimp")
    assert 'value="gimp"' in page
    assert 'href="/templates/firefox"' not in page


def test_nothing_found_says_so(alices: Client, make_template: MakeTemplate) -> None:
    make_template("firefox")
    assert "Nothing matches “zzz”" in catalogue(alices, "?q=zzz")


def test_what_was_launched_last_then_featured_then_the_rest(
    alice: User, alices: Client, make_template: MakeTemplate, make_session: MakeSession
) -> None:
    make_template("alpha")
    make_template("beta", featured=True)
    make_template("gamma")
    make_session(alice, "gamma")
    page = catalogue(alices)
    places = [page.index(f'id="t-{name}"') for name in ("gamma", "beta", "alpha")]
    assert places == sorted(places)


def test_what_cannot_be_launched_says_what_is_missing(
    alices: Client, make_template: MakeTemplate
) -> None:
    lacking = {
        "launchable": False,
        "message": "Firefox is not installed.",
        "remedy": "Install it with `apt install <firefox>`.",
    }
    make_template("firefox", availability=lacking)
    page = catalogue(alices)
    assert "Firefox is not installed." in page
    assert "<code>apt install &lt;firefox&gt;</code>" in page
    assert 'action="/launch/firefox"' not in page


def test_templates_that_an_operator_switched_off_are_not_listed(
    alices: Client, make_template: MakeTemplate
) -> None:
    make_template("firefox", enabled=False)
    assert "/templates/firefox" not in catalogue(alices)


def test_show_more_brings_only_the_next_page(alices: Client) -> None:
    many_templates(30)
    page = text(alices, "/?page=2", **{**HTMX, "HX-Target": "more"})
    assert page.count("<article") == 6
    assert "<html" not in page


def test_a_page_address_without_scripts_shows_what_came_before_too(alices: Client) -> None:
    many_templates(30)
    assert text(alices, "/?page=2").count('class="template') >= 30


def test_a_favourite_can_be_set_and_cleared(
    alice: User, alices: Client, make_template: MakeTemplate
) -> None:
    template = make_template("firefox")
    address = "/templates/firefox/favourite"
    set_ = alices.post(address, {"favourite": "yes"}, headers=HTMX).content.decode()
    assert 'aria-pressed="true"' in set_
    assert template.favourites.get() == alice
    alices.post(address, {"favourite": "no"}, headers=HTMX)
    assert not template.favourites.exists()


def test_favourites_are_a_category_of_their_own(
    alice: User, alices: Client, make_template: MakeTemplate
) -> None:
    make_template("firefox").favourites.add(alice)
    make_template("gimp")
    page = catalogue(alices, "?category=favourites")
    assert "/templates/firefox" in page
    assert "/templates/gimp" not in page


def test_descriptions_cannot_bring_markup(alices: Client, make_template: MakeTemplate) -> None:
    make_template("firefox", description="Good <img src=x onerror=alert(1)> **bold**")
    page = catalogue(alices)
    assert "<img src=x" not in page
    assert "bold" in page


@pytest.mark.parametrize("page", ["0", "-1", "x", "99999999999999999999", "²"])
def test_odd_page_numbers_are_no_fault(page: str, alices: Client) -> None:
    assert alices.get(f"/?page={page}").status_code == 200


def test_limits_are_shown_when_there_are_any(alices: Client) -> None:
    assert "meters-strip" not in text(alices)
    Quota.objects.create(max_running=4)
    assert "<b>0</b> of 4" in text(alices)


def test_a_newer_revision_is_marked(alice: User, alices: Client, make_session: MakeSession) -> None:
    session = make_session(alice)
    assert "Restart to update" not in text(alices)
    template = Template.objects.get(sessions=session)
    revise(template)
    assert "Restart to update" in text(alices)


def test_a_session_outlives_its_template(
    alice: User, alices: Client, make_session: MakeSession
) -> None:
    session = make_session(alice, display_name="Orphan")
    Session.objects.filter(pk=session.pk).update(template=None)
    assert "Orphan" in text(alices)
    assert alices.get(f"/sessions/{session.name}").status_code == 200


@pytest.mark.parametrize("parameter", ["page", "shown"])
def test_a_number_of_a_thousand_digits_is_no_fault(parameter: str, alices: Client) -> None:
    assert alices.get("/", {parameter: "9" * 5000}).status_code == 200
