"""What goes wrong, and how it must end."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from tests.e2e.client import Client, add_template, add_user
from tests.infra.disks import small_disk
from tests.infra.portal import Portal
from tests.infra.programs import end_all_naming, processes_naming, wait_until

pytestmark = pytest.mark.integration


def compute_of(portal: Portal, name: str) -> list[psutil.Process]:
    return [p for p in processes_naming(name) if "manage.py" not in words_of(p)]


def words_of(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:  # ended between the lines
        return ""


def display_of(portal: Portal, name: str) -> psutil.Process:
    return next(p for p in compute_of(portal, name) if "vnc" in words_of(p))


@pytest.fixture(scope="module")
def client(portal: Portal) -> Client:
    return Client(portal)


@pytest.fixture(autouse=True)
def _terminate_all(client: Client):
    yield
    for session in client.call("GET", "/sessions").json()["results"]:
        client.act(session["name"], "terminate")
    wait_until(
        lambda: not client.call("GET", "/sessions").json()["results"], timeout=20, what="the end"
    )


def test_a_program_that_exits_at_once_fails_with_its_last_lines_and_can_be_retried(
    portal: Portal, client: Client
) -> None:
    script = 'test -e "$HOME/mended" && exec xterm; echo "cannot open shop" >&2; exit 3'
    add_template(portal, "hasty", local={"command": ["sh", "-c", script]})
    client.wait_until_launchable("hasty")
    name = client.launch("hasty")["name"]
    failed = client.wait_for(name, "Failed")
    assert failed["explanation"]["reason"] == "ApplicationExited"
    assert "exit status 3" in failed["explanation"]["message"]
    assert "cannot open shop" in failed["explanation"]["log"][-1]
    wait_until(
        lambda: not compute_of(portal, name),
        timeout=20,
        what="the failed session's processes to go",
    )

    (portal.data_dir / "homes" / "home-admin" / "mended").touch()
    assert client.act(name, "wake").status in (200, 202)
    assert client.wait_for(name, "Running")["explanation"] == {}


def test_a_killed_display_is_started_again_by_itself(portal: Portal, client: Client) -> None:
    name = client.launch_running("terminal")["name"]
    killed = display_of(portal, name)
    killed.kill()
    wait_until(
        lambda: any("vnc" in words_of(p) and p != killed for p in compute_of(portal, name)),
        timeout=20,
        what="a new display",
    )
    client.wait_for(name, "Running")
    events = client.call("GET", f"/sessions/{name}/events").json()["results"]
    assert "restarted" in [event["kind"] for event in events]


def test_a_portal_killed_during_a_launch_finishes_it_after_its_restart(
    portal: Portal, client: Client
) -> None:
    name = client.launch("desktop")["name"]
    portal.kill()
    portal.resume()
    client.wait_for(name, "Running")
    displays = [p for p in compute_of(portal, name) if "vnc" in words_of(p)]
    assert len(displays) == 1


def test_sessions_survive_a_restart_of_the_portal(portal: Portal, client: Client) -> None:
    name = client.launch_running("terminal")["name"]
    before = display_of(portal, name)
    assert portal.interrupt() == 0
    assert before.is_running()
    portal.resume()
    assert client.wait_for(name, "Running")["phase"] == "Running"
    assert display_of(portal, name) == before


def test_hibernating_during_the_start_leaves_nothing_running(
    portal: Portal, client: Client
) -> None:
    name = client.launch("desktop")["name"]
    client.act(name, "hibernate")
    client.wait_for(name, "Hibernated")
    wait_until(lambda: not compute_of(portal, name), timeout=20, what="all processes to be gone")


@pytest.mark.parametrize("phase", ["Pending", "Running", "Hibernated", "Failed"])
def test_a_session_can_be_terminated_in_every_phase(
    portal: Portal, client: Client, phase: str
) -> None:
    template = "terminal"
    if phase == "Failed":
        add_template(portal, "broken", local={"command": ["sh", "-c", "exit 1"]})
        client.wait_until_launchable("broken")
        template = "broken"
    name = client.launch(template)["name"]
    if phase == "Hibernated":
        client.act(name, "hibernate")
    if phase != "Pending":
        client.wait_for(name, phase)
    answer = client.call("DELETE", f"/sessions/{name}")
    assert answer.status == 202
    client.wait_for(name, "Terminated")
    wait_until(lambda: not compute_of(portal, name), timeout=20, what="all processes to be gone")
    assert not (portal.data_dir / "sessions" / name).exists()


def test_a_launch_over_quota_says_what_to_hibernate(portal: Portal, client: Client) -> None:
    portal.manage(
        "shell",
        "-c",
        "from streamspace.accounts.models import Quota; Quota.objects.create(max_running=1)",
    )
    try:
        first = client.launch("terminal", display_name="The first")
        refused = client.call("POST", "/sessions", {"template": "terminal"})
        assert refused.status == 403
        error = refused.json()
        assert error["error"] == "quota_exceeded"
        assert "The first" in error["message"]
        assert error["details"]["exceeded"][0] == {
            "resource": "running",
            "used": 1,
            "requested": 1,
            "limit": 1,
        }
        assert error["details"]["could_hibernate"][0]["name"] == first["name"]

        client.act(first["name"], "hibernate")
        with ThreadPoolExecutor(4) as pool:
            answers = list(
                pool.map(
                    lambda _: client.call("POST", "/sessions", {"template": "terminal"}).status,
                    range(4),
                )
            )
        assert sorted(answers) == [201, 403, 403, 403]
    finally:
        portal.manage(
            "shell",
            "-c",
            "from streamspace.accounts.models import Quota; Quota.objects.all().delete()",
        )


def test_an_idle_session_hibernates_and_waking_resets_the_clock(
    portal: Portal, client: Client
) -> None:
    name = client.launch_running("terminal", idle_timeout="1m")["name"]
    assert client.session(name)["idle_deadline"]
    # An hour passes: the clocks are moved instead of waited for.
    portal.manage(
        "shell",
        "-c",
        "from datetime import timedelta; from django.db.models import F; "
        "from sessions.models import Session; "
        "ago = {f: F(f) - timedelta(hours=1) for f in "
        "('last_activity_at', 'start_requested_at', 'running_since')}; "
        f"Session.objects.filter(name={name!r}).update(**ago)",
    )
    client.wait_for(name, "Hibernated", timeout=30)
    assert client.session(name)["idle_deadline"] is None
    kinds = [e["reason"] for e in client.call("GET", f"/sessions/{name}/events").json()["results"]]
    assert "idle" in kinds
    client.act(name, "wake")
    assert client.wait_for(name, "Running")["idle_deadline"]


def test_nothing_of_another_users_session_is_to_be_seen(portal: Portal, client: Client) -> None:
    name = client.launch_running("terminal")["name"]
    add_user(portal, "mallory")
    mallory = Client(portal, "mallory")
    for method, path in [
        ("GET", ""),
        ("DELETE", ""),
        ("PATCH", ""),
        ("POST", "/hibernate"),
        ("POST", "/wake"),
        ("POST", "/extend"),
        ("POST", "/terminate"),
        ("GET", "/events"),
        ("GET", "/shares"),
    ]:
        body = {"display_name": "mine"} if method == "PATCH" else None
        answer = mallory.call(method, f"/sessions/{name}{path}", body)
        assert answer.status == 404, (method, path, answer.body)
    assert client.session(name)["phase"] == "Running"


def test_launching_what_does_not_exist_is_a_clear_404(client: Client) -> None:
    answer = client.call("POST", "/sessions", {"template": "no-such-thing"})
    assert (answer.status, answer.json()["error"]) == (404, "template_not_found")


def test_a_full_disk_is_told_and_nothing_is_lost(start_portal, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "24m") as disk:
        try:
            _fill_and_free(start_portal, disk)
        finally:
            end_all_naming(str(disk))


def _fill_and_free(start_portal, disk: Path) -> None:
    portal = start_portal({"STREAMSPACE_DATA_DIR": str(disk / "data")})
    client = Client(portal)
    kept = client.launch_running("terminal")["name"]
    filler = disk / "filler"
    with pytest.raises(OSError, match="No space left"):
        filler.write_bytes(bytes(24 << 20))
    answer = client.call("POST", "/sessions", {"template": "terminal"})
    if answer.status == 201:
        name = answer.json()["name"]
        wait_until(
            lambda: (
                client.session(name)["explanation"].get("reason")
                in ("StorageFull", "StorageUnavailable")
            ),
            timeout=20,
            what="the reason",
        )
    else:
        assert (answer.status, answer.json()["error"]) == (507, "storage_full")
    assert portal.request("/api/v1/health").status in (200, 503)
    filler.unlink()
    assert client.wait_for(kept, "Running")["name"] == kept
    client.launch_running("terminal")
    client.terminate_all()
    portal.close()
