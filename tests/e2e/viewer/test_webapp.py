"""The viewer of a web application: a frame of the session's own origin, and input seen in it."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.client import Client, add_template
from tests.e2e.viewer.tab import shown, sign_in_and_enter
from tests.infra.browser import People
from tests.infra.portal import Portal

PROGRAM = '''
import http.server, os, socketserver, sys
PAGE = b"""<!doctype html><title>Notes of today</title><textarea></textarea>
<iframe srcdoc="<button>inner</button>"></iframe>"""
class Handler(http.server.BaseHTTPRequestHandler):
    def address_string(self): return "-"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE)
class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    def get_request(self): return self.socket.accept()[0], ("-", 0)
os.umask(0o177)
Server(sys.argv[1], Handler).serve_forever()
'''


@pytest.fixture(scope="module")
def notes(portal: Portal, client: Client) -> str:
    """A running session whose program is a page with a text field and a frame."""
    program = Path(portal.folder) / "notes.py"
    program.write_text(PROGRAM)
    command = [sys.executable, str(program), "{socket}"]
    add_template(portal, "notes", appType="webapp", local={"command": command})
    portal.manage("shell", "-c", "from controller import schedule; schedule.check_templates()")
    name: str = client.launch_running("notes", idle_timeout="4m")["name"]
    return name


@pytest.fixture
def page(portal: Portal, notes: str, people: People) -> Page:
    """The application, open in a tab of its owner."""
    page = people("owner").page()
    sign_in_and_enter(page, portal, notes)
    return page


def test_the_application_fills_the_tab_and_names_it(page: Page) -> None:
    box = page.locator("iframe").bounding_box()
    assert box == {"x": 0, "y": 0, "width": 1280, "height": 800}
    expect(page).to_have_title(re.compile("Notes of today|Hibernates soon"))


def test_input_in_the_frame_and_in_frames_in_it_is_told_to_the_server(
    portal: Portal, client: Client, notes: str, people: People
) -> None:
    soon: str = client.launch_running("notes", idle_timeout="60s")["name"]
    page = people("owner").page()
    sign_in_and_enter(page, portal, soon)
    warning = page.get_by_text("Hibernates in")
    expect(warning).to_be_visible(timeout=45_000)  # half of its clock must have passed
    with page.expect_event("websocket", timeout=20_000) as opened:
        page.reload()
    sent: list[str] = []
    opened.value.on("framesent", lambda text: sent.append(str(text)))
    shown(page)
    page.wait_for_timeout(1200)
    assert sent == []  # being open is not input
    page.frame_locator("iframe").locator("textarea").fill("by a script")
    assert sent == []
    page.frame_locator("iframe").locator("textarea").click()
    page.wait_for_timeout(300)
    assert sent == ['{"type":"input"}']
    expect(warning).to_be_hidden()
    page.frame_locator("iframe").frame_locator("iframe").get_by_role("button").click()
    page.wait_for_timeout(300)
    assert len(sent) == 1  # at most one in five seconds
    client.act(soon, "terminate")


def test_a_hibernated_application_is_taken_out_of_the_page(
    client: Client, notes: str, page: Page
) -> None:
    client.act(notes, "hibernate")
    expect(page.get_by_role("heading", name="Hibernated – your files are kept")).to_be_visible()
    expect(page.locator("iframe")).to_have_count(0)
    page.get_by_role("button", name="Wake").click()
    shown(page)
    expect(page.frame_locator("iframe").locator("textarea")).to_be_visible()
