"""The management commands: what they print, and their exit codes."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from sessions.models import Session
from streamspace.accounts.models import Quota
from templates_app.models import Template
from tests.making import fresh, make_session, make_template, make_user
from tests.templates_app.documents import document, text

pytestmark = pytest.mark.django_db


def manage(*arguments: str) -> str:
    output = io.StringIO()
    call_command(*arguments, stdout=output, stderr=output, no_color=True)
    return output.getvalue()


def refused(*arguments: str) -> str:
    """The one line that a command ends with; its exit status is 1."""
    with pytest.raises(CommandError) as caught:
        manage(*arguments)
    assert caught.value.returncode == 1
    return str(caught.value)


def test_a_session_is_created_and_its_name_printed() -> None:
    make_template()
    make_user("jo")
    name = manage(
        "create_session", "jo", "terminal",
        "--name", "My shell", "--cpu", "250m", "--memory", "1Gi", "--idle-timeout", "45m",
    ).strip()  # fmt: skip
    session = Session.objects.get(name=name)
    assert (session.display_name, session.cpu_millicores, session.memory_mib) == (
        "My shell", 250, 1024
    )  # fmt: skip
    assert session.home is not None


def test_a_session_without_a_home_is_created() -> None:
    make_template()
    make_user("jo")
    manage("create_session", "jo", "terminal", "--no-home")
    assert Session.objects.get().home is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nobody", "terminal"], "There is no user 'nobody'."),
        (["jo", "nothing"], "There is no template 'nothing'"),
        (["jo", "terminal", "--cpu", "many"], "is not a CPU quantity; write for example"),
        (["jo", "terminal", "--cpu", "9" * 400], "cpu_millicores must lie between"),
        (["jo", "terminal", "--memory", "0"], "memory_mib must lie between"),
        (["jo", "terminal", "--idle-timeout", "soon"], "is not a duration; write for example"),
        (["jo", "terminal", "--idle-timeout", "1s"], "The idle timeout lies between"),
        (["jo", "terminal", "--name", "x" * 101], "between 1 and 100 characters"),
    ],
)
def test_a_launch_that_cannot_be_is_refused_in_one_line(arguments: list[str], words: str) -> None:
    make_template()
    make_user("jo")
    message = refused("create_session", *arguments)
    assert words in message
    assert "\n" not in message
    assert not Session.objects.exists()


def test_a_user_who_may_not_sign_in_gets_no_session() -> None:
    make_template()
    make_user("gone", is_active=False)
    assert "There is no user 'gone'." in refused("create_session", "gone", "terminal")


def test_the_quota_holds_on_the_command_line_too() -> None:
    make_template()
    Quota.objects.create(user=make_user("jo"), max_sessions=0)
    assert "Your quota for sessions is 0" in refused("create_session", "jo", "terminal")


def test_sessions_are_listed_as_a_table() -> None:
    session = make_session(make_user("jo"), explanation={"reason": "Why"}, phase="Failed")
    make_session(phase="Terminated")
    header, row = manage("list_sessions").splitlines()
    assert header.split() == ["NAME", "OWNER", "TEMPLATE", "STATE", "REASON", "CREATED"]
    assert row.split()[:5] == [session.name, "jo", "terminal", "Failed", "Why"]


def test_sessions_are_listed_as_json() -> None:
    session = make_session(make_user("jo"))
    make_session()
    rows = json.loads(manage("list_sessions", "--user", "jo", "--json"))
    assert [row["name"] for row in rows] == [session.name]
    assert rows[0]["state"] == "Starting"


def test_no_sessions_are_an_empty_list_for_programs_and_words_for_people() -> None:
    assert manage("list_sessions") == "No sessions.\n"
    assert json.loads(manage("list_sessions", "--json")) == []


def test_what_is_over_is_listed_when_asked_for() -> None:
    make_session(phase="Terminated")
    assert len(json.loads(manage("list_sessions", "--all", "--json"))) == 1


@pytest.mark.parametrize(
    ("command", "wish"),
    [
        ("hibernate_session", "hibernated"),
        ("wake_session", "running"),
        ("terminate_session", "terminated"),
    ],
)
def test_wishes_are_made_by_name(command: str, wish: str) -> None:
    sessions = [make_session(phase="Running"), make_session(phase="Failed")]
    output = manage(command, *(s.name for s in sessions))
    assert [fresh(s).desired_state for s in sessions] == [wish, wish]
    assert output.count(": asked to") == 2


@pytest.mark.parametrize("command", ["hibernate_session", "wake_session", "terminate_session"])
def test_an_unknown_name_stops_everything_before_it_begins(command: str) -> None:
    session = make_session(phase="Running")
    message = refused(command, session.name, "nothing")
    assert "There is no session 'nothing'; `manage.py list_sessions`" in message
    assert fresh(session).generation == 1


@pytest.mark.parametrize("command", ["hibernate_session", "wake_session"])
def test_one_refusal_does_not_keep_the_others(command: str) -> None:
    over = make_session(desired_state="terminated")
    session = make_session(phase="Failed")
    assert refused(command, over.name, session.name) == "1 of 2 were refused."
    assert fresh(session).generation == 2


# --- import_templates


def test_templates_are_imported_and_named_by_outcome(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(text(document("a"), document("b")))
    assert manage("import_templates", str(tmp_path)) == "created: a, b\n"
    assert manage("import_templates", str(tmp_path)) == "unchanged: a, b\n"


def test_problems_are_named_and_the_rest_is_imported(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(text(document("a", appType="game"), document("b")))
    assert refused("import_templates", str(tmp_path)).startswith("1 problems")
    assert Template.objects.get().name == "b"


def test_a_path_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert refused("import_templates", str(tmp_path / "x")).endswith("does not exist.")


@pytest.mark.parametrize(
    "command",
    [
        "create_session",
        "list_sessions",
        "hibernate_session",
        "wake_session",
        "terminate_session",
        "import_templates",
    ],
)
def test_help_says_what_it_does(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        call_command(command, "--help")
    assert caught.value.code == 0
    assert len(capsys.readouterr().out) > 300
