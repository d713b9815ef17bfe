"""drf-spectacular with types, and the errors that every operation of the schema names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, cast

from drf_spectacular.utils import extend_schema, extend_schema_field

from .codes import CODES, GENERAL

T = TypeVar("T")

_ERRORS = "x-errors"


def documented(*, errors: Iterable[str] = (), **about: Any) -> Callable[[T], T]:
    """``drf_spectacular.utils.extend_schema`` plus ``errors``: codes that only some operations
    answer with. The general ones are added to every operation that can."""
    if errors:
        about["extensions"] = {**about.get("extensions", {}), _ERRORS: list(errors)}
    return cast("Callable[[T], T]", extend_schema(**about))


def shaped(schema: Any) -> Callable[[T], T]:
    """``drf_spectacular.utils.extend_schema_field``: what a field looks like in JSON."""
    return cast("Callable[[T], T]", extend_schema_field(schema))


ERROR_SCHEMA = {
    "type": "object",
    "properties": {
        "error": {"type": "string", "enum": list(CODES), "description": "Stable code."},
        "message": {"type": "string", "description": "One or two sentences for people."},
        "details": {
            "type": "object",
            "additionalProperties": True,
            "description": "Facts for programs, for example one list of messages per field.",
        },
    },
    "required": ["error", "message", "details"],
    "additionalProperties": False,
    "example": {
        "error": "invalid_request",
        "message": "template: This field is required.",
        "details": {"template": ["This field is required."]},
    },
}


def add_errors(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """drf-spectacular's postprocessing hook: error answers for every operation."""
    result.setdefault("components", {}).setdefault("schemas", {})["Error"] = ERROR_SCHEMA
    for path, operations in result["paths"].items():
        for operation in operations.values():
            _add_errors(path, operation)
    return result


def _add_errors(path: str, operation: dict[str, Any]) -> None:
    by_status: dict[int, list[str]] = defaultdict(list)
    general = {429, 503}
    if operation.get("security") and {} not in operation["security"]:
        general |= {401, 403}
    queries = {p["name"] for p in operation.get("parameters", []) if p["in"] == "query"}
    if queries or "requestBody" in operation:
        general.add(400)
    if "{" in path or "page" in queries:
        general.add(404)
    if "requestBody" in operation:
        general |= {413, 415}
    for status in general:
        by_status[status].append(GENERAL[status])
    for code in operation.pop(_ERRORS, []):
        by_status[CODES[code].status].append(code)
    for status in sorted(by_status):
        text = "\n".join(f"- `{code}`: {CODES[code].meaning}" for code in by_status[status])
        answer: dict[str, Any] = {
            "description": text,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
        }
        if status == 401:
            answer["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}}}
        if status in (429, 503):
            answer["headers"] = {"Retry-After": {"schema": {"type": "integer"}}}
        operation["responses"].setdefault(str(status), answer)
