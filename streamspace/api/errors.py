"""One shape for every error of the API: ``{error, message, details}`` with stable codes.

Three doors lead here: DRF's exception handler for what a view raises, Django's ``handlerXXX`` for
what happens outside of views (and for faults inside them, which Django logs), and the catch-all
address under ``/api/``.
"""

from __future__ import annotations

from typing import Any

import structlog
from django.core.exceptions import PermissionDenied
from django.core.exceptions import ValidationError as ModelError
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler as drf_handler

from streamspace.errors import DatabaseAway, UserError

from .codes import GENERAL
from .throttling import AnonymousThrottle

log = structlog.get_logger(__name__)

_NO_SUCH_ADDRESS = "There is nothing at this address; the API is described at /api/v1/schema."


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's hook. Faults (anything not known here) stay faults: 500 and a logged traceback."""
    if isinstance(error, UserError):
        return Response(_per_field(error.as_dict()), status=error.status)
    if isinstance(error, (OperationalError, InterfaceError)):
        # A failover of the database takes seconds; clients should come back, not give up.
        log.error("database_unavailable", error=str(error), exc_info=error)
        away = DatabaseAway.of(error)
        return Response(away.as_dict(), status=away.status, headers={"Retry-After": "5"})
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    elif isinstance(error, ModelError):
        error = exceptions.ValidationError(error.messages)
    error = _slow_down_strangers(error, context)
    response = drf_handler(error, context)
    if response is None or not isinstance(error, exceptions.APIException):
        return response
    body = {"error": GENERAL.get(response.status_code, "error"), "message": "", "details": {}}
    if isinstance(error, exceptions.ValidationError):
        details = error.detail if isinstance(error.detail, dict) else {"request": error.detail}
        body["details"] = details
        body["message"] = _first_sentence(details)
    else:
        body["message"] = str(error.detail)
    response.data = body
    return response


def _per_field(body: dict[str, Any]) -> dict[str, Any]:
    """Services name the one field that is wrong; programs read messages by field, as from DRF."""
    if body["details"].keys() == {"field"}:
        body["details"] = {body["details"]["field"]: [body["message"]]}
    return body


def _slow_down_strangers(error: Exception, context: dict[str, Any]) -> Exception:
    """DRF authenticates before it throttles, so what fails to authenticate is counted here."""
    if not isinstance(error, (exceptions.NotAuthenticated, exceptions.AuthenticationFailed)):
        return error
    throttle = AnonymousThrottle()
    if throttle.allow_stranger(context["request"], context["view"]):
        return error
    return exceptions.Throttled(wait=throttle.wait())


def _first_sentence(details: Any) -> str:
    """The first message of nested details, after the path to its field.

    >>> _first_sentence({"resources": {"cpu": ["Not a quantity."]}})
    'resources.cpu: Not a quantity.'
    """
    path: list[str] = []
    first = details
    while isinstance(first, (list, dict)):
        if not first:
            return "The request is not valid."
        if isinstance(first, dict):
            field, first = next(iter(first.items()))
            if field != "request":
                path.append(str(field))
        else:
            first = first[0]
    return f"{'.'.join(path)}: {first}" if path else str(first)


# --- Outside of DRF's views -------------------------------------------------------------------


def _is_api(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")


def json_error(status: int, message: str) -> JsonResponse:
    """An error of the API that no DRF view made."""
    return JsonResponse(
        {"error": GENERAL[status], "message": message, "details": {}}, status=status
    )


@csrf_exempt
def unknown_address(request: HttpRequest, **_: Any) -> HttpResponse:
    """Every address under ``/api/`` that is no other."""
    return json_error(404, _NO_SUCH_ADDRESS)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler400: requests that Django itself finds suspicious."""
    if _is_api(request):
        return json_error(400, "The request is not valid.")
    return defaults.bad_request(request, exception)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler403."""
    if _is_api(request):
        return json_error(403, "You do not have permission to do this.")
    return defaults.permission_denied(request, exception)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler404."""
    if _is_api(request):
        return json_error(404, _NO_SUCH_ADDRESS)
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500; Django has logged the traceback with the request's id."""
    if _is_api(request):
        return json_error(500, "StreamSpace ran into a fault of its own; it was logged.")
    return defaults.server_error(request)
