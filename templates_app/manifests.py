"""Template manifests: text in, validated documents and problems out. Pure.

One bad document never stops the others; each problem says where it is and what to write instead.
The schema, ``schema/template.json``, is the only description of the format.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, validators
from jsonschema.exceptions import ValidationError, best_match

from streamspace.config import format_duration, parse_duration

from .specs import resources_of

MAX_AMOUNT = 1_000_000_000
"""Of CPU (millicores) and memory (MiB)."""
SHORTEST, LONGEST = timedelta(minutes=1), timedelta(days=365)
"""Of idleTimeout and maxSessionDuration."""

MAX_BYTES = 1024 * 1024
"""Size of one manifest file; real ones have a few KiB."""

_SEPARATOR = re.compile(r"---(\s|$)")
_END = re.compile(r"\.\.\.(\s|$)")
_CONTENT = re.compile(r"(?!---)[^#%\s]|\s+[^#\s]|---\s+[^#\s]")
"""A line that belongs to a document, rather than a comment or a directive before one."""
_UNSTORABLE = re.compile(r"[\0\ud800-\udfff]")

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


def _pattern(_validator: Any, pattern: str, instance: Any, _schema: Any) -> Iterator[Any]:
    # Python's `$` also matches before a final newline, JSON Schema's does not.
    if isinstance(instance, str) and not re.search(re.sub(r"\$$", r"\\Z", pattern), instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


_Validator: Any = validators.extend(  # type: ignore[no-untyped-call]
    Draft202012Validator, {"pattern": _pattern}
)


@cache
def validator() -> Draft202012Validator:
    """The compiled schema."""
    schema: Draft202012Validator = _Validator(json.loads(_SCHEMA.read_text()))
    return schema


def parse(text: str) -> tuple[list[Manifest], list[Problem]]:
    """Read a manifest file of any number of documents. Never raises."""
    if len(text.encode(errors="replace")) > MAX_BYTES:
        return [], [Problem(1, "", f"the file is larger than {MAX_BYTES // 1024} KiB")]
    manifests: list[Manifest] = []
    problems: list[Problem] = []
    for first_line, part in _split(text):
        try:
            for line, document in _documents(part):
                manifest, problem = _check(first_line + line, document)
                if manifest is not None:
                    manifests.append(manifest)
                if problem is not None:
                    problems.append(problem)
        except yaml.YAMLError as error:
            problems.append(_yaml_problem(error, part, first_line))
        except RecursionError:
            problems.append(Problem(first_line + 1, "", "the document is nested too deeply"))
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


def _split(text: str) -> Iterator[tuple[int, str]]:
    """The documents' texts, each with the number of lines before it. What is not valid YAML in one
    of them then does not end the reading of the next: ``---`` or ``...`` at the beginning of a line
    stands between documents wherever it is written."""
    part: list[str] = []
    before = 0
    for number, line in enumerate(text.splitlines(keepends=True)):
        if _SEPARATOR.match(line) and any(map(_CONTENT.match, part)):
            yield before, "".join(part)
            part, before = [], number
        part.append(line)
        if _END.match(line):
            yield before, "".join(part)
            part, before = [], number + 1
    yield before, "".join(part)


def _documents(text: str) -> Iterator[tuple[int, Any]]:
    """(line, document); what no constructor understands is given as the exception it raised."""
    loader = _Loader(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            if node is not None:
                yield node.start_mark.line + 1, _constructed(loader, node)
    finally:
        loader.dispose()


def _constructed(loader: _Loader, node: yaml.Node) -> Any:
    try:
        return loader.construct_document(node)
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
        # SafeLoader lets them through: `!!int x`, a number of 5,000 digits, `!!timestamp 2024-99`.
        return error


def _check(line: int, document: Any) -> tuple[Manifest | None, Problem | None]:
    if document is None:
        return None, None
    if isinstance(document, Exception):
        return None, Problem(line, "", f"has a value that cannot be read: {document}"[:300])
    if (where := _unstorable(document)) is not None:
        return None, Problem(line, where, "has a NUL character or half a surrogate pair")
    error = best_match(validator().iter_errors(document))
    if error is not None:
        return None, Problem(line, _path(error), _advice(error))
    spec = document["spec"]
    if (field_and_message := _contradiction(spec) or _out_of_range(spec)) is not None:
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


def _out_of_range(spec: dict[str, Any]) -> tuple[str, str] | None:
    for name in ("idleTimeout", "maxSessionDuration"):
        if name in spec and not SHORTEST <= parse_duration(spec[name]) <= LONGEST:
            return f"spec.{name}", (
                f"must lie between {format_duration(SHORTEST)} and {format_duration(LONGEST)}; "
                "leave it out for the installation's own"
            )
    resources = resources_of(spec)
    if not (
        1 <= resources.cpu_millicores <= MAX_AMOUNT and 1 <= resources.memory_mib <= MAX_AMOUNT
    ):
        return "spec.defaultResources", (
            f"must lie between 1 and {MAX_AMOUNT} millicores of CPU and MiB of memory"
        )
    return None


def _unstorable(value: Any, path: str = "") -> str | None:
    """Where text stands that no database takes, or None."""
    if isinstance(value, str):
        return path if _UNSTORABLE.search(value) else None
    items: Any = ()
    if isinstance(value, dict):
        items = [(f"{path}.{key}" if path else str(key), item) for key, item in value.items()]
        items += [(path, key) for key in value]
    elif isinstance(value, list):
        items = [(f"{path}[{index}]", item) for index, item in enumerate(value)]
    found = (_unstorable(item, where) for where, item in items)
    return next((where for where in found if where is not None), None)


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
        extra = sorted(str(key) for key in instance if key not in schema.get("properties", {}))
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


def _yaml_problem(error: yaml.YAMLError, text: str, first_line: int) -> Problem:
    if isinstance(error, yaml.reader.ReaderError):  # a character that YAML forbids
        line = text.count("\n", 0, error.position)
        message = f"the character U+{error.character:04X} is not allowed"
    else:
        mark = getattr(error, "problem_mark", None)
        line = mark.line if mark else 0
        message = getattr(error, "problem", None) or str(error)
    return Problem(first_line + line + 1, "", f"not valid YAML: {message}"[:300])
