"""Settings of DRF and drf-spectacular; :mod:`streamspace.settings` takes them in.

Imports nothing of DRF: settings are read before it may be.
"""

from __future__ import annotations

from typing import Any

from .codes import table

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        # First, because its challenge (Bearer) is what a 401 answer carries.
        "streamspace.api.authentication.BearerAuthentication",
        "streamspace.api.authentication.BrowserAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_PAGINATION_CLASS": "streamspace.api.pagination.Pages",
    "DEFAULT_FILTER_BACKENDS": ["streamspace.api.filters.StrictFilterBackend"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["streamspace.api.parsers.BoundedJSONParser"],
    "DEFAULT_THROTTLE_RATES": {"anonymous": "120/min", "token_creation": "30/hour"},
    # No proxy is trusted to name the client: X-Forwarded-For is anybody's to write.
    "NUM_PROXIES": 0,
    "DEFAULT_METADATA_CLASS": None,
    "EXCEPTION_HANDLER": "streamspace.api.errors.exception_handler",
    "PAGE_SIZE": 50,
    "NON_FIELD_ERRORS_KEY": "request",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}

DESCRIPTION = f"""\
Launch applications as sessions and manage their life.

**Signing in.** Send an API token as `Authorization: Bearer <token>`. Tokens are made in the portal
or at `/tokens`; they expire.

**Wishes and observations.** Launch, hibernate, wake and terminate write a wish
(`desired_state`, with a new `generation`) and answer at once. What is observed follows: poll the
session, or listen at the WebSocket `/ws/sessions`, until `observed_generation` equals
`generation` and `display_state` is what you wait for.

**Lists** are cut into pages: `page` and `page_size` (at most 200). A page that does not exist
is answered with 404.

**Unknown fields and filters are refused**, so that a typing error is never ignored in silence.

**Errors** all have one shape, `{{"error": code, "message": sentences, "details": facts}}`. Codes
are stable; messages may change.

{table()}
"""

SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "StreamSpace",
    "DESCRIPTION": DESCRIPTION,
    "VERSION": "1",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "persistAuthorization": False},
    "TAGS": [
        {"name": "sessions", "description": "Launched templates and their life."},
        {"name": "templates", "description": "What can be launched."},
        {"name": "events", "description": "What happened to sessions."},
        {"name": "account", "description": "The caller: limits, use and API tokens."},
        {"name": "administration", "description": "People, groups and quotas. For staff."},
        {"name": "system", "description": "Health, version and this schema. Public."},
    ],
    "ENUM_NAME_OVERRIDES": {
        "DesiredState": "sessions.choices.DesiredState",
        "Phase": "sessions.choices.Phase",
        "DisplayState": "sessions.lifecycle.DisplayState",
        "EventKind": "sessions.choices.EventKind",
        "ShareRole": "sessions.api.requests.ROLES",
        "SessionRole": "sessions.choices.Role",
        "AppType": "templates_app.choices.AppType",
        "RevisionSource": "templates_app.choices.Source",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "streamspace.api.schema.add_errors",
    ],
}
