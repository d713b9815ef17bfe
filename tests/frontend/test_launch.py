"""A template's page, its icon, and launching it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client

from sessions.models import Session
from streamspace.accounts.models import Quota, User

from .conftest import HTMX, MakeSession, MakeTemplate, revise

SVG = '<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0h1"/></svg>'


def test_one_press_launches_with_the_templates_values(
    alice: User, alices: Client, make_template: MakeTemplate
) -> None:
    make_template("firefox")
    answer = alices.post("/launch/firefox")
    session = Session.objects.get(owner=alice)
    assert answer.headers["Location"] == f"/#session-{session.name}"
    assert (session.cpu_millicores, session.memory_mib) == (500, 1024)
    assert session.display_name == "Firefox"
    assert session.home is not None


def test_a_launch_from_a_card_brings_the_sessions_up_to_date(
    alice: User, alices: Client, make_template: MakeTemplate
) -> None:
    make_template("firefox")
    answer = alices.post("/launch/firefox", headers={**HTMX, "HX-Target": "sessions"})
    assert answer.headers["HX-Retarget"] == "#sessions"
    assert f"session-{Session.objects.get().name}" in answer.content.decode()


def test_a_launch_from_the_form_leads_home(alices: Client, make_template: MakeTemplate) -> None:
    make_template("firefox")
    answer = alices.post("/launch/firefox", headers={**HTMX, "HX-Target": "launch-notice"})
    assert answer.headers["HX-Redirect"] == f"/#session-{Session.objects.get().name}"


def test_the_form_decides(alices: Client, make_template: MakeTemplate) -> None:
    make_template("firefox")
    fields = {"name": "Tides", "size": "custom", "cpu": "1.5", "memory": "3Gi"}
    alices.post("/launch/firefox", {**fields, "home": "no", "idle": "2h"})
    session = Session.objects.get()
    assert session.display_name == "Tides"
    assert (session.cpu_millicores, session.memory_mib) == (1500, 3072)
    assert session.home is None
    assert session.idle_timeout == timedelta(hours=2)


def test_a_size_beats_numbers_that_are_hidden(alices: Client, make_template: MakeTemplate) -> None:
    make_template("firefox")
    alices.post("/launch/firefox", {"size": "large", "cpu": "99", "memory": "99Gi"})
    session = Session.objects.get()
    assert (session.cpu_millicores, session.memory_mib) == (1000, 2048)


def test_the_same_press_launches_once(alices: Client, make_template: MakeTemplate) -> None:
    make_template("firefox")
    for _ in range(2):
        answer = alices.post("/launch/firefox", {"once": "abc"})
        assert answer.status_code == 302
    assert Session.objects.count() == 1


def test_two_presses_launch_twice(alices: Client, make_template: MakeTemplate) -> None:
    make_template("firefox")
    alices.post("/launch/firefox", {"once": "abc"})
    alices.post("/launch/firefox", {"once": "def"})
    assert Session.objects.count() == 2


def test_a_press_that_was_refused_can_be_repeated(
    alice: User, alices: Client, make_template: MakeTemplate
) -> None:
    make_template("firefox")
    quota = Quota.objects.create(user=alice, max_sessions=0)
    assert alices.post("/launch/firefox", {"once": "abc"}).status_code == 403
    quota.delete()
    alices.post("/launch/firefox", {"once": "abc"})
    assert Session.objects.count() == 1


def test_an_address_fills_in_the_form(alices: Client, make_template: MakeTemplate) -> None:
    make_template("firefox")
    page = alices.get("/launch/firefox?name=Tides&cpu=2&memory=4Gi&home=no&idle=45m").content
    text = " ".join(page.decode().split())
    assert 'value="Tides"' in text
    assert 'name="cpu" value="2"' in text
    assert 'name="memory" value="4Gi"' in text
    assert 'value="custom" checked' in text
    assert 'name="home" value="no" checked' in text
    assert '<option value="45m" selected>' in text
    assert not Session.objects.exists()


def test_a_refusal_offers_to_make_room(
    alice: User, alices: Client, make_session: MakeSession
) -> None:
    other = make_session(alice, display_name="Old work")
    Quota.objects.create(user=alice, max_running=1)
    answer = alices.post("/launch/firefox", headers={**HTMX, "HX-Target": "sessions"})
    assert answer.status_code == 403
    assert answer.headers["HX-Retarget"] == "#notice"
    page = answer.content.decode()
    assert "Your quota for running sessions is 1" in page
    assert f'action="/sessions/{other.name}/hibernate"' in page


def test_without_a_script_a_refusal_keeps_the_form(
    alice: User, alices: Client, make_template: MakeTemplate
) -> None:
    make_template("firefox")
    Quota.objects.create(user=alice, max_sessions=0)
    answer = alices.post("/launch/firefox", {"name": "Tides"})
    assert answer.status_code == 403
    page = answer.content.decode()
    assert "Your quota for sessions is 0" in page
    assert 'value="Tides"' in page


@pytest.mark.parametrize(
    "fields",
    [
        {"size": "custom", "cpu": "many", "memory": "1Gi"},
        {"size": "custom", "cpu": "1", "memory": "lots"},
        {"size": "custom", "cpu": "0", "memory": "1Gi"},
        {"idle": "soon"},
        {"idle": "1s"},
    ],
)
def test_what_cannot_be_read_is_refused(
    fields: dict[str, str], alices: Client, make_template: MakeTemplate
) -> None:
    make_template("firefox")
    answer = alices.post("/launch/firefox", fields)
    assert answer.status_code == 400
    assert 'role="alert"' in answer.content.decode()
    assert not Session.objects.exists()


def test_what_is_not_available_cannot_be_launched(
    alices: Client, make_template: MakeTemplate
) -> None:
    make_template("firefox", availability={"launchable": False, "message": "Not here."})
    assert alices.post("/launch/firefox").status_code == 409
    assert not Session.objects.exists()


def test_the_form_says_whether_it_fits(
    alice: User, alices: Client, make_template: MakeTemplate
) -> None:
    make_template("firefox")
    Quota.objects.create(user=alice, max_cpu_millicores=1000)
    fits = alices.get("/launch/firefox/fits?size=large", headers=HTMX).content.decode()
    assert "Fits your quota" in fits
    exceeds = alices.get("/launch/firefox/fits?size=xlarge", headers=HTMX).content.decode()
    assert "Your quota for processors" in exceeds


def test_a_first_home_counts_against_the_storage(
    alice: User, alices: Client, make_template: MakeTemplate
) -> None:
    make_template("firefox")
    Quota.objects.create(user=alice, max_storage_mib=1)
    address = "/launch/firefox/fits?size=small"
    assert "storage" in alices.get(address, headers=HTMX).content.decode()
    assert "Fits" in alices.get(f"{address}&home=no", headers=HTMX).content.decode()


def test_the_page_renders_the_description_and_cleans_it(
    alices: Client, make_template: MakeTemplate
) -> None:
    text = "**Bold** [link](https://example.com) [bad](javascript:alert(1)) <script>x</script>"
    make_template("firefox", description=text)
    page = alices.get("/templates/firefox").content.decode()
    assert "<strong>Bold</strong>" in page
    assert 'href="https://example.com"' in page
    assert 'href="javascript' not in page
    assert "<script>x" not in page


def test_the_page_lists_the_revisions(alices: Client, make_template: MakeTemplate) -> None:
    template = make_template("firefox")
    revise(template)
    page = alices.get("/templates/firefox").content.decode()
    assert "catalogue.yaml" in page
    assert "current" in page
    assert page.count("<tr><td>") == 2


def test_an_unknown_template_is_not_found(alices: Client) -> None:
    assert alices.get("/templates/nothing").status_code == 404
    assert alices.post("/launch/nothing").status_code == 404


def test_an_icon_can_do_nothing(alices: Client, make_template: MakeTemplate) -> None:
    make_template("firefox", icon=SVG)
    answer = alices.get("/templates/firefox/icon.svg")
    assert answer.headers["Content-Type"] == "image/svg+xml"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert answer.content.decode() == SVG


def test_an_icon_is_kept_under_the_address_that_names_its_content(
    alices: Client, make_template: MakeTemplate
) -> None:
    make_template("firefox", icon=SVG)
    page = alices.get("/").content.decode()
    address = page.split('src="/templates/firefox/icon.svg')[1].split('"')[0]
    kept = alices.get(f"/templates/firefox/icon.svg{address}")
    assert "immutable" in kept.headers["Cache-Control"]
    assert "private" in kept.headers["Cache-Control"]
    other = alices.get("/templates/firefox/icon.svg?v=old")
    assert "immutable" not in other.headers["Cache-Control"]


def test_a_template_without_an_icon_has_none(alices: Client, make_template: MakeTemplate) -> None:
    make_template("firefox")
    assert alices.get("/templates/firefox/icon.svg").status_code == 404


@pytest.mark.parametrize("field", ["cpu", "memory"])
def test_an_amount_of_a_thousand_digits_is_no_fault(
    field: str, alices: Client, make_template: MakeTemplate
) -> None:
    make_template("firefox")
    chosen = {"size": "custom", field: "9" * 5000}
    assert alices.get("/launch/firefox", chosen).status_code == 200
    assert alices.get("/launch/firefox/fits", chosen).status_code == 200
    assert alices.post("/launch/firefox", chosen).status_code == 400
