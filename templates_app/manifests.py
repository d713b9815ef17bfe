"""Template manifests: text in, validated documents and problems out. Pure.

One bad document never stops the others; each problem says where it is and what to write instead.
The schema, ``schema/template.json``, is the only description of the format.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match

MAX_BYTES = 1024 * 1024
"""Size of one manifest file; real ones have a few KiB."""

_SCHEMA = Path(__file__).parent / "schema" / "template.json"


@dataclass(frozen=True, slots=True)
class Manifest:
    """One valid Template document. ``spec`` is as written, ready to be a revision."""

    name: str
    spec: dict[str, Any]
    line: int


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a document was not taken. ``line`` counts from 1; ``field`` is a dotted path."""

    line: int
    field: str
    message: str

    def __str__(self) -> str:
        place = f"line {self.line}"
        return (
            f"{place}, {self.field}: {self.message}" if self.field else f"{place}: {self.message}"
        )


class _Loader(yaml.SafeLoader):
    """YAML without aliases: templates need none, and a few of them nested a dozen deep expand
    to more memory than the machine has (the "billion laughs")."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.events.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(
                None, None, "aliases (*name) are not allowed; write the value out", mark
            )
        return super().compose_node(parent, index)


# 2024-01-01 and 12:30 stay the text that was written.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@cache
def validator() -> Draft202012Validator:
    """The compiled schema."""
    return Draft202012Validator(json.loads(_SCHEMA.read_text()))


def parse(text: str) -> tuple[list[Manifest], list[Problem]]:
    """Read a manifest file of any number of documents. Never raises."""
    if len(text.encode(errors="replace")) > MAX_BYTES:
        return [], [Problem(1, "", f"the file is larger than {MAX_BYTES // 1024} KiB")]
    manifests: list[Manifest] = []
    problems: list[Problem] = []
    try:
        for line, document in _documents(text):
            manifest, problem = _check(line, document)
            if manifest is not None:
                manifests.append(manifest)
            if problem is not None:
                problems.append(problem)
    except yaml.YAMLError as error:
        problems.append(_yaml_problem(error))
    except RecursionError:
        problems.append(Problem(1, "", "the document is nested too deeply"))
    return manifests, problems


def validate_spec(name: str, spec: Any) -> list[Problem]:
    """Problems of one spec that did not come from a file (the admin, the API)."""
    document = {
        "apiVersion": "stream.streamspace.io/v1alpha1",
        "kind": "Template",
        "metadata": {"name": name},
        "spec": spec,
    }
    _, problem = _check(1, document)
    return [problem] if problem else []


def _documents(text: str) -> Iterator[tuple[int, Any]]:
    loader = _Loader(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            if node is not None:
                yield node.start_mark.line + 1, loader.construct_document(node)
    finally:
        loader.dispose()


def _check(line: int, document: Any) -> tuple[Manifest | None, Problem | None]:
    if document is None:
        return None, None
    error = best_match(validator().iter_errors(document))
    if error is not None:
        return None, Problem(line, _path(error), _advice(error))
    spec = document["spec"]
    if (field_and_message := _contradiction(spec)) is not None:
        return None, Problem(line, *field_and_message)
    return Manifest(document["metadata"]["name"], spec, line), None


def _contradiction(spec: dict[str, Any]) -> tuple[str, str] | None:
    """What a schema cannot say: a template is streamed one way, the one its type names."""
    vnc = (spec.get("vnc") or {}).get("enabled", "vnc" in spec)
    web = (spec.get("webapp") or {}).get("enabled", "webapp" in spec)
    if vnc and web:
        return "spec", "has both vnc and webapp enabled; keep the one that appType names"
    if web and spec["appType"] == "desktop":
        return "spec.appType", "is desktop but webapp is enabled; write appType: webapp"
    if vnc and spec["appType"] == "webapp":
        return "spec.appType", "is webapp but vnc is enabled; write appType: desktop"
    return None


def _path(error: ValidationError) -> str:
    path = ""
    for part in error.absolute_path:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path


def _advice(error: ValidationError) -> str:
    """The schema's complaint, with what to write instead."""
    expected: Any = error.validator_value
    schema: Any = error.schema
    if error.validator == "additionalProperties":
        known = ", ".join(sorted(schema.get("properties", {})))
        instance: Any = error.instance
        extra = sorted(set(instance) - set(schema.get("properties", {})))
        return f"has no field {', '.join(extra)}; the fields are {known}"
    if error.validator == "required":
        present: Any = error.instance
        missing = [name for name in expected if name not in present]
        return f"lacks {', '.join(missing)}"
    if error.validator == "const":
        return f"must be {expected}"
    if error.validator == "enum":
        return f"must be one of {', '.join(map(str, expected))}"
    if error.validator == "type":
        return f"must be of type {expected}"
    if error.validator == "pattern":
        return f"{str(error.instance)[:60]!r} does not have the form {expected}"
    return error.message[:200]


def _yaml_problem(error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None)
    message = getattr(error, "problem", None) or str(error)
    return Problem(mark.line + 1 if mark else 1, "", f"not valid YAML: {message}"[:300])
