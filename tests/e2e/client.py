"""A program's view of a running portal: the REST API with a token."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tests.infra.portal import Answer, Portal
from tests.infra.programs import wait_until


class Client:
    """One user's API client."""

    def __init__(self, portal: Portal, user: str = "admin") -> None:
        self.portal = portal
        self.user = user
        self.token = portal.manage("create_token", user, "--name", "test").strip()

    def call(self, method: str, path: str, body: Any = None) -> Answer:
        return self.portal.request(f"/api/v1{path}", method=method, body=body, token=self.token)

    def launch(self, template: str, **choices: Any) -> dict[str, Any]:
        answer = self.call("POST", "/sessions", {"template": template, **choices})
        assert answer.status == 201, answer.body
        return answer.json()

    def sessions(self) -> list[dict[str, Any]]:
        """Those that are not over, newest first."""
        return self.call("GET", "/sessions").json()["results"]

    def terminate_all(self) -> None:
        for session in self.sessions():
            self.act(session["name"], "terminate")
        wait_until(lambda: not self.sessions(), timeout=20, what="all sessions to be over")

    def session(self, name: str) -> dict[str, Any]:
        answer = self.call("GET", f"/sessions/{name}")
        assert answer.status == 200, answer.body
        return answer.json()

    def act(self, name: str, action: str) -> Answer:
        return self.call("POST", f"/sessions/{name}/{action}")

    def wait_for(self, name: str, phase: str, timeout: float = 30) -> dict[str, Any]:
        """Wait until the session has that phase; the session then."""
        found: dict[str, Any] = {}

        def there() -> bool:
            found.clear()
            found.update(self.session(name))
            return found["phase"] == phase

        try:
            wait_until(there, timeout=timeout, what=f"{name} to be {phase}")
        except TimeoutError as late:
            late.add_note(str(found))
            raise
        return found

    def launch_running(self, template: str, **choices: Any) -> dict[str, Any]:
        return self.wait_for(self.launch(template, **choices)["name"], "Running")

    def wait_until_launchable(self, template: str, timeout: float = 45) -> None:
        """A template that was just imported is examined by the controller first."""
        wait_until(
            lambda: self.call("GET", f"/templates/{template}").json()["launchable"],
            timeout=timeout,
            what=f"{template} to be launchable",
        )


def add_user(portal: Portal, name: str, password: str = "a-long-enough-pass") -> str:
    """Make a user who may sign in; the password."""
    portal.manage(
        "shell",
        "-c",
        "from streamspace.accounts.models import User; "
        f"User.objects.create_user({name!r}, password={password!r})",
    )
    return password


def add_template(portal: Portal, name: str, **spec: Any) -> None:
    """Import a template whose manifest is written as an operator would write it."""
    document = {
        "apiVersion": "stream.streamspace.io/v1alpha1",
        "kind": "Template",
        "metadata": {"name": name},
        "spec": {"displayName": name.capitalize(), "appType": "desktop", **spec},
    }
    path = Path(portal.folder) / f"{name}.yaml"
    path.write_text(yaml.safe_dump(document))
    portal.manage("import_templates", str(path))
