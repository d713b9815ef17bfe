"""Template documents, as somebody would write them."""

from __future__ import annotations

from typing import Any

import yaml


def document(name: str = "terminal", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "stream.streamspace.io/v1alpha1",
        "kind": "Template",
        "metadata": {"name": name},
        "spec": {"displayName": "Terminal", "appType": "desktop", **spec},
    }


def text(*documents: dict[str, Any]) -> str:
    return yaml.safe_dump_all(documents, explicit_start=True)
