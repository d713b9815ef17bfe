"""One shape for every error of the API: ``{error, message, details}`` with stable codes."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler as drf_handler

from streamspace.errors import UserError

_CODES = {
    400: "invalid_request",
    401: "not_authenticated",
    403: "permission_denied",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    415: "unsupported_media_type",
    429: "rate_limited",
}


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's hook. Faults (anything not known here) stay faults: 500 and a logged traceback."""
    if isinstance(error, UserError):
        return Response(error.as_dict(), status=error.status)
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    response = drf_handler(error, context)
    if response is None or not isinstance(error, exceptions.APIException):
        return response
    body: dict[str, Any] = {
        "error": _CODES.get(response.status_code, "error"),
        "message": "",
        "details": {},
    }
    if isinstance(error, exceptions.ValidationError):
        details = error.detail if isinstance(error.detail, dict) else {"request": error.detail}
        body["details"] = details
        body["message"] = _first_sentence(details)
    else:
        body["message"] = str(error.detail)
    response.data = body
    return response


def _first_sentence(details: dict[str, Any]) -> str:
    for field, messages in details.items():
        first: Any = messages
        while isinstance(first, (list, dict)) and first:
            first = next(iter(first.values())) if isinstance(first, dict) else first[0]
        return f"{field}: {first}" if field != "non_field_errors" else str(first)
    return "The request is not valid."
