"""Health, version and the schema: the addresses that need no sign-in."""

from __future__ import annotations

import functools
from typing import Any

import structlog
from django.core.cache import cache
from django.db import DatabaseError, connection
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, inline_serializer
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from redis.exceptions import RedisError
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from streamspace import __version__

from .schema import documented
from .throttling import AnonymousThrottle

log = structlog.get_logger(__name__)

_CHECK = serializers.ChoiceField(["ok", "failed"])
_Health = inline_serializer(
    "Health",
    {
        "status": serializers.ChoiceField(["ok", "unavailable"]),
        "checks": serializers.DictField(child=_CHECK, help_text="What was looked at."),
    },
)


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        log.warning("health_check_failed", check="database", error=str(error))
        return False
    return True


def _cache_answers() -> bool:
    try:
        cache.get("health")
    except (RedisError, OSError) as error:
        log.warning("health_check_failed", check="cache", error=str(error))
        return False
    return True


class HealthView(APIView):
    """For load balancers and probes. Never throttled, never authenticated, no secrets."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @documented(
        operation_id="health",
        tags=["system"],
        summary="Whether this portal can serve",
        parameters=[
            OpenApiParameter(
                "ready",
                description="Also look at the cache (Redis), which sign-ins and sessions survive "
                "without.",
                allow_blank=True,
            )
        ],
        responses={
            200: OpenApiResponse(_Health, "It can."),
            503: OpenApiResponse(_Health, "It cannot; `checks` says what failed."),
        },
    )
    def get(self, request: Request) -> Response:
        checks = {"database": _database_answers()}
        if "ready" in request.query_params:
            checks["cache"] = _cache_answers()
        healthy = all(checks.values())
        body = {
            "status": "ok" if healthy else "unavailable",
            "checks": {name: "ok" if good else "failed" for name, good in checks.items()},
        }
        return Response(body, status=200 if healthy else 503, headers={"Cache-Control": "no-store"})


class VersionView(APIView):
    """What is installed."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = (AnonymousThrottle,)

    @documented(
        operation_id="version",
        tags=["system"],
        summary="Which version answers",
        responses=inline_serializer(
            "Version", {"version": serializers.CharField(), "api": serializers.CharField()}
        ),
    )
    def get(self, request: Request) -> Response:
        return Response({"version": __version__, "api": "v1"})


class _Generator(SchemaGenerator):
    """The schema does not depend on who asks, and takes a while to make: once per process."""

    def get_schema(self, request: Any = None, public: bool = False) -> Any:
        return _schema()


@functools.cache
def _schema() -> Any:
    return SchemaGenerator().get_schema(request=None, public=True)


class SchemaView(SpectacularAPIView):
    """OpenAPI 3, as YAML or (by the Accept header or ``?format=json``) as JSON."""

    generator_class = _Generator
    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = (AnonymousThrottle,)


class DocsView(SpectacularSwaggerSplitView):
    """Swagger UI; the split variant has no inline script, which the portal's policy refuses."""

    url_name = "api:schema"
    permission_classes = (AllowAny,)
    throttle_classes = (AnonymousThrottle,)
