"""The API keeps what its schema promises, whatever it is sent.

Schemathesis makes requests from the schema, valid and invalid ones, against the real WSGI stack.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.management import call_command
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, Phase, settings
from rest_framework.test import APIClient
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from streamspace.api.codes import CODES
from tests.api.conftest import World

EXAMPLES = int(os.environ.get("STREAMSPACE_TEST_EXAMPLES", "8"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    response_schema_conformance,
    content_type_conformance,
]

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("no_rate_limits", "_one_transaction"),
    pytest.mark.integration,  # hundreds of requests: not with each change
]


schema = schemathesis.openapi.from_dict(SchemaGenerator().get_schema(public=True))
schema.app = get_wsgi_application()


@pytest.fixture
def _one_transaction() -> Iterator[None]:
    """As with Django's test client: the end of a request does not close the test's transaction."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


EVERYTHING = list(HealthCheck)
systematic = settings(
    max_examples=EXAMPLES, phases=[Phase.explicit, Phase.generate], suppress_health_check=EVERYTHING
)
"""Each parameter's valid and invalid values in turn, then mixtures."""
mixtures = settings(
    max_examples=EXAMPLES, phases=[Phase.generate], suppress_health_check=EVERYTHING
)


def aimed(case: schemathesis.Case, world: World) -> schemathesis.Case:
    """Every other address names something that exists: random names only ever give 404."""
    existing: dict[str, Any] = {
        "name": world.template.name if "/templates/" in case.path else world.session.name,
        "username": world.owner.username,
        "id": world.quota.pk if "/quotas/" in case.path else world.group.pk,
    }
    parameters = case.path_parameters or {}
    for name, value in list(parameters.items()):
        if name in existing and len(str(value)) % 2:
            parameters[name] = existing[name]
    return case


@schema.parametrize()
@systematic
def test_the_api_keeps_its_schema_for_superusers(
    case: schemathesis.Case, world: World, as_superuser: APIClient
) -> None:
    aimed(case, world).call_and_validate(headers=bearer(as_superuser), checks=CHECKS)


@schema.parametrize()
@mixtures
def test_the_api_keeps_its_schema_for_owners(
    case: schemathesis.Case, world: World, as_owner: APIClient
) -> None:
    aimed(case, world).call_and_validate(headers=bearer(as_owner), checks=CHECKS)


def bearer(client: APIClient) -> dict[str, str]:
    return {"Authorization": client._credentials["HTTP_AUTHORIZATION"]}  # type: ignore[attr-defined]


def test_the_schema_is_complete_and_valid(tmp_path: Any) -> None:
    call_command(
        "spectacular", "--validate", "--fail-on-warn", "--file", str(tmp_path / "schema.yaml")
    )


def test_every_operation_has_words_for_people(client: Any) -> None:
    schema = client.get("/api/v1/schema", headers={"Accept": "application/json"}).json()
    operations = [
        (path, method, operation)
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
    ]
    assert len({operation["operationId"] for *_, operation in operations}) == len(operations)
    known = {tag["name"] for tag in schema["tags"]}
    for path, method, operation in operations:
        assert operation.get("summary"), f"{method} {path}"
        assert set(operation["tags"]) <= known, f"{method} {path}"


def test_the_schema_documents_every_code(client: Any) -> None:
    schema = client.get("/api/v1/schema", headers={"Accept": "application/json"}).json()
    for code in CODES:
        assert f"`{code}`" in schema["info"]["description"]


def test_the_schema_does_not_name_the_cookie(client: Any, settings: Any) -> None:
    """Its name is what keeps other origins of the same site from setting it."""
    assert settings.SESSION_COOKIE_NAME not in client.get("/api/v1/schema").content.decode()
