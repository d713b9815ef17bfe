"""Imports: what changes is written, what does not is not, and identity stays."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from sessions import services as sessions
from streamspace.errors import UserError
from templates_app import services
from templates_app.choices import Source
from templates_app.models import Template, TemplateRevision
from tests.making import fresh, make_session, make_template, make_user
from tests.templates_app.documents import document, text

pytestmark = pytest.mark.django_db

SVG = '<svg viewBox="0 0 1 1"><path d="M0"/></svg>'


def write(folder: Path, name: str, *documents: dict[str, Any]) -> Path:
    path = folder / name
    path.write_text(text(*documents))
    return path


def test_a_folder_is_imported_with_its_icons(tmp_path: Path) -> None:
    (tmp_path / "apps").mkdir()
    write(tmp_path / "apps", "terminal.yaml", document(icon="t.svg"))
    (tmp_path / "apps" / "t.svg").write_text(SVG)
    report = services.import_path(tmp_path)
    assert (report.created, report.problems) == (["terminal"], [])
    assert "<path" in Template.objects.get().icon


def test_importing_again_writes_nothing(tmp_path: Path) -> None:
    path = write(tmp_path, "a.yaml", document())
    services.import_path(path)
    with CaptureQueriesContext(connection) as queries:
        assert services.import_path(path).unchanged == ["terminal"]
    assert [q for q in queries if q["sql"].startswith(("INSERT", "UPDATE", "DELETE"))] == []


def test_a_change_keeps_identity_favourites_and_what_operators_decided(tmp_path: Path) -> None:
    services.import_path(write(tmp_path, "a.yaml", document()))
    before = Template.objects.get()
    before.favourites.add(make_user())
    Template.objects.update(enabled=False, featured=True)
    report = services.import_path(write(tmp_path, "a.yaml", document(description="new")))
    assert report.updated == ["terminal"]
    after = Template.objects.get()
    assert (after.pk, after.favourites.count()) == (before.pk, 1)
    assert (after.enabled, after.featured, after.description) == (False, True, "new")


def test_a_running_session_keeps_its_revision() -> None:
    session = make_session()
    make_template(description="new")
    assert fresh(session).revision.number == 1
    template = Template.objects.get()
    assert template.current_revision is not None
    assert template.current_revision.number == 2


def test_going_back_to_an_earlier_spec_makes_no_third_revision() -> None:
    make_template()
    make_template(description="new")
    make_template()
    assert TemplateRevision.objects.count() == 2
    current = Template.objects.get().current_revision
    assert current is not None
    assert current.number == 1


def test_a_new_spec_must_be_looked_at_before_it_can_be_launched() -> None:
    make_template()
    services.put(
        "terminal",
        {"displayName": "T", "appType": "desktop", "tags": ["x"]},
        source=Source.FILE,
    )
    with pytest.raises(UserError, match="being checked"):
        sessions.launch(make_user(), "terminal")


def test_revisions_are_immutable() -> None:
    revision = make_template().current_revision
    assert revision is not None
    with pytest.raises(TypeError):
        revision.save()


def test_bad_documents_are_reported_with_their_file_and_do_not_stop_the_others(
    tmp_path: Path,
) -> None:
    write(tmp_path, "bad.yaml", document("x", appType="game"))
    write(tmp_path, "good.yml", document())
    report = services.import_path(tmp_path)
    assert report.created == ["terminal"]
    assert report.problems == [
        f"{tmp_path}/bad.yaml: line 2, spec.appType: must be one of desktop, webapp"
    ]


def test_a_name_that_is_taken_by_another_file_is_reported(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", document(description="first"))
    write(tmp_path, "b.yaml", document(description="second"))
    report = services.import_path(tmp_path)
    assert "terminal is also in" in report.problems[0]
    assert Template.objects.get().description == "first"


def test_a_path_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        services.import_path(tmp_path / "nothing")
    assert caught.value.code == "path_not_found"


def test_files_that_are_no_text_are_reported(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "b.yaml").write_bytes(b"x" * 2**21)
    os.mkfifo(tmp_path / "c.yaml")
    (tmp_path / "d.yaml").mkdir()
    (tmp_path / "e.yaml").symlink_to(tmp_path / "gone")
    problems = services.import_path(tmp_path).problems
    assert [p.split(":")[0].rsplit("/", 1)[1] for p in problems] == [
        "a.yaml", "b.yaml", "c.yaml", "e.yaml"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "icon", ["../secret.svg", "link.svg", "/etc/hostname", "a\tb", ".", "gone"]
)
def test_an_icon_is_a_file_beside_the_manifest(tmp_path: Path, icon: str) -> None:
    folder = tmp_path / "catalogue"
    folder.mkdir()
    (tmp_path / "secret.svg").write_text(SVG)
    (folder / "link.svg").symlink_to(tmp_path / "secret.svg")
    report = services.import_path(write(folder, "a.yaml", document(icon=icon)))
    assert report.created == ["terminal"]
    assert "spec.icon" in report.problems[0]
    assert Template.objects.get().icon == ""


def test_an_icon_that_is_no_longer_named_goes(tmp_path: Path) -> None:
    (tmp_path / "t.svg").write_text(SVG)
    services.import_path(write(tmp_path, "a.yaml", document(icon="t.svg")))
    services.import_path(write(tmp_path, "a.yaml", document()))
    assert Template.objects.get().icon == ""


def test_an_icon_that_is_broken_leaves_the_one_of_before(tmp_path: Path) -> None:
    (tmp_path / "t.svg").write_text(SVG)
    path = write(tmp_path, "a.yaml", document(icon="t.svg"))
    services.import_path(path)
    (tmp_path / "t.svg").write_text("no picture")
    assert services.import_path(path).unchanged == ["terminal"]
    assert "<path" in Template.objects.get().icon


@pytest.mark.django_db(transaction=True)
def test_two_imports_of_a_new_template_at_once_make_one() -> None:
    def put(number: int) -> str:
        try:
            spec = {"displayName": f"T{number}", "appType": "desktop"}
            return services.put("terminal", spec, source=Source.FILE)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(put, range(4)))
    assert sorted(outcomes) == ["created", "updated", "updated", "updated"]
    assert sorted(TemplateRevision.objects.values_list("number", flat=True)) == [1, 2, 3, 4]
