"""Manifests: any text in, documents and problems out, with place and advice."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from templates_app import manifests
from templates_app.specs import parse_cpu, parse_memory
from tests.templates_app.documents import document, text


def problem(source: str) -> manifests.Problem:
    """The one problem of a source without a valid document."""
    found, problems = manifests.parse(source)
    assert found == []
    assert len(problems) == 1
    return problems[0]


def test_a_valid_document_is_taken_as_written() -> None:
    found, problems = manifests.parse(text(document(description="A shell")))
    assert problems == []
    assert found[0].name == "terminal"
    assert found[0].spec["description"] == "A shell"


@pytest.mark.parametrize(
    ("change", "field", "advice"),
    [
        ({"appType": "game"}, "spec.appType", "must be one of desktop, webapp"),
        ({"displayname": "X"}, "spec", "has no field displayname; the fields are"),
        ({"displayName": 5}, "spec.displayName", "must be of type string"),
        ({"idleTimeout": "soon"}, "spec.idleTimeout", "does not have the form"),
        ({"idleTimeout": "0s"}, "spec.idleTimeout", "must lie between 1m and 365d"),
        ({"maxSessionDuration": "999999d"}, "spec.maxSessionDuration", "between 1m and 365d"),
        ({"idleTimeout": "30m\n"}, "spec.idleTimeout", "does not have the form"),
        ({"ports": [{"containerPort": 0}]}, "spec.ports[0].containerPort", "less than"),
        ({"env": [{"name": "A\n"}]}, "spec.env[0].name", "does not have the form"),
        ({"env": [{"value": "x"}]}, "spec.env[0]", "lacks name"),
        ({"local": {"command": []}}, "spec.local.command", ""),
        (
            {"defaultResources": {"requests": {"memory": "999999999999999Ti"}}},
            "spec.defaultResources",
            "must lie between 1 and",
        ),
        (
            {"defaultResources": {"requests": {"cpu": "0"}}},
            "spec.defaultResources",
            "must lie between 1 and",
        ),
        ({"webapp": {"port": 80}}, "spec.appType", "write appType: webapp"),
        ({"vnc": {}, "webapp": {}}, "spec", "keep the one that appType names"),
        ({"description": "a\0b"}, "spec.description", "has a NUL character"),
    ],
)
def test_what_is_wrong_is_told_with_field_and_advice(
    change: dict[str, Any], field: str, advice: str
) -> None:
    found = manifests.validate_spec("terminal", document(**change)["spec"])
    assert found[0].field == field
    assert advice in found[0].message


@pytest.mark.parametrize(
    "name", ["", "UPPER", "-a", "a-", "a b", "a/b", "../a", "a\n", "x" * 64, "ä", "a.b"]
)
def test_a_name_is_a_dns_label(name: str) -> None:
    found = problem(text(document(name)))
    assert found.field == "metadata.name"


def test_a_problem_names_the_line_of_its_document() -> None:
    source = "# A catalogue\n\n" + text(document("a"), document("b", appType="x"))
    found, problems = manifests.parse(source)
    assert [m.name for m in found] == ["a"]
    assert problems[0].line == source.splitlines().index("---", 3) + 2


def test_a_syntax_error_does_not_stop_the_documents_around_it() -> None:
    first = text(document("a"))
    source = first + "---\nspec: {]\n" + text(document("b"))
    found, problems = manifests.parse(source)
    assert [m.name for m in found] == ["a", "b"]
    assert problems[0].line == first.count("\n") + 2
    assert "not valid YAML" in problems[0].message


def test_comments_directives_and_empty_documents_are_nothing() -> None:
    source = "# hello\n---\n# nothing\n---\n...\n%YAML 1.2\n" + text(document())
    found, problems = manifests.parse(source)
    assert (len(found), problems) == (1, [])


def test_aliases_are_refused_before_they_expand() -> None:
    levels = ["a0: &a0 [x, x]"] + [
        f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}, *a{n - 1}]" for n in range(1, 30)
    ]
    started = time.perf_counter()
    found = problem("\n".join(levels))
    assert "aliases" in found.message
    assert time.perf_counter() - started < 1


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_a_document_nested_too_deeply_is_a_problem(opening: str) -> None:
    assert problem(opening * 20_000).line == 1


def test_a_file_of_two_megabytes_is_refused_unread() -> None:
    started = time.perf_counter()
    assert "larger than 1024 KiB" in problem("x" * 2**21).message
    assert time.perf_counter() - started < 0.5


@pytest.mark.parametrize(
    "source",
    [
        "!!python/object/apply:os.system [id]",
        "a: !!int x",
        "a: !!timestamp 2024-99-99",
        "a: " + "9" * 5000,
        "{1: 2, x: 3}",
        "? [a]\n: b",
        "a: \x01",
        "a: !!bool maybe",
        "\ufeff[",
        "%TAG ! x\n--- !y",
        "just words",
        "- a\n- b",
    ],
)
def test_odd_yaml_is_a_problem_and_no_fault(source: str) -> None:
    assert problem(source).message


def test_half_a_surrogate_pair_is_refused_with_its_place() -> None:
    source = text(document()).replace("Terminal", '"\\ud800"')
    assert problem(source).field == "spec.displayName"


@given(st.text(max_size=300))
def test_any_text_is_read_without_a_fault(source: str) -> None:
    manifests.parse(source)


YAML_LIKE = st.lists(
    st.sampled_from([*list("-:?&*!|>%@`{}[],#'\" \n\tab0~=<."), "---\n", "!!set", "<<: ", "0x"]),
    max_size=60,
).map("".join)


@given(YAML_LIKE)
def test_anything_that_looks_like_yaml_is_read_without_a_fault(source: str) -> None:
    manifests.parse(source)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)
SCHEMA: Any = manifests.validator().schema
FIELDS = sorted(SCHEMA["properties"]["spec"]["properties"])


@given(st.dictionaries(st.sampled_from(FIELDS), JSON))
def test_any_spec_is_judged_without_a_fault(spec: dict[str, Any]) -> None:
    manifests.validate_spec("terminal", {"displayName": "X", "appType": "desktop"} | spec)


# --- Quantities


@given(st.integers(1, 10**9))
def test_millicores_are_read_exactly_however_they_are_written(millicores: int) -> None:
    assert parse_cpu(f"{millicores}m") == millicores
    assert parse_cpu(f"{millicores // 1000}.{millicores % 1000:03}") == millicores


@given(st.integers(1, 10**9))
def test_mebibytes_are_read_exactly_however_they_are_written(mib: int) -> None:
    assert parse_memory(f"{mib}Mi") == mib
    assert parse_memory(str(mib * 2**20)) == mib
    assert parse_memory(f"{mib * 1024}Ki") == mib


@pytest.mark.parametrize("text", ["", "x", "-1", "1e3", "1 m", "½", "٣", "1.", "1Pi"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    for parse in (parse_cpu, parse_memory):
        with pytest.raises(ValueError, match="is not a"):
            parse(text)


@pytest.mark.parametrize("parse", [parse_cpu, parse_memory])
def test_a_number_of_any_length_is_no_fault(parse: Any) -> None:
    assert parse("9" * 400) > 10**300
