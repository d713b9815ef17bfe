"""From records to the frozen specs that runtimes take. Pure but for attribute access."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controller.runtimes.base import LocalProgram, SessionSpec, TemplateSpec
from sessions.choices import DesiredState, Phase
from sessions.models import Session


def template_spec(name: str, spec: Mapping[str, Any]) -> TemplateSpec:
    """What a runtime needs of a revision's validated spec (``templates_app.manifests``)."""
    local = spec.get("local")
    web = spec.get("webapp") or {}
    return TemplateSpec(
        name=name,
        display_name=spec.get("displayName", name),
        app_type=spec["appType"],
        image=spec.get("baseImage", ""),
        env={item["name"]: item.get("value", "") for item in spec.get("env", [])},
        web_path=web.get("healthCheck") or web.get("path") or "/",
        clipboard=spec.get("clipboard", "both"),
        local=None
        if local is None
        else LocalProgram(
            command=tuple(local["command"]),
            requires=tuple(local.get("requires", ())),
            install=local.get("install", ""),
            panel=local.get("panel", False),
        ),
    )


def session_spec(session: Session) -> SessionSpec:
    """What the record asks of its runtime. A failed session asks for nothing to run: its compute
    is released until somebody retries."""
    return SessionSpec(
        name=session.name,
        user=session.owner.username,
        template=template_spec(session.revision.template_name, session.revision.spec),
        running=session.desired_state == DesiredState.RUNNING and session.phase != Phase.FAILED,
        attempt=session.attempt,
        home=session.home.name if session.home else None,
        cpu_millicores=session.cpu_millicores,
        memory_mib=session.memory_mib,
    )
