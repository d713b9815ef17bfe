"""Rate limits. Their state is in the cache, so they hold over all replicas.

They do not promise exactness: requests that arrive in the same millisecond may each see room.
When the cache is away nobody is limited: a portal without Redis still serves.
"""

from __future__ import annotations

from typing import Any

import structlog
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView

log = structlog.get_logger(__name__)


class _Throttle(SimpleRateThrottle):
    def allow_request(self, request: Request, view: APIView) -> bool:
        try:
            return super().allow_request(request, view)
        except (RedisError, OSError) as error:
            log.warning("rate_limit_skipped", scope=self.scope, error=str(error))
            return True


class AnonymousThrottle(_Throttle):
    """Requests of one address that carry no valid sign-in."""

    scope = "anonymous"

    def get_cache_key(self, request: Request, view: Any) -> str | None:
        if request.user is not None and request.user.is_authenticated:
            return None
        return self._stranger(request)

    def allow_stranger(self, request: Request, view: APIView) -> bool:
        """As ``allow_request``, for a request that is known to have failed to authenticate
        (asking it for its user would fail again)."""
        self.get_cache_key = lambda request, view: self._stranger(request)  # type: ignore[method-assign]
        return self.allow_request(request, view)

    def _stranger(self, request: Request) -> str:
        return self.cache_format % {"scope": self.scope, "ident": self.get_ident(request)}


class TokenCreationThrottle(_Throttle):
    """New tokens of one user: many in an hour is a script gone wrong."""

    scope = "token_creation"

    def get_cache_key(self, request: Request, view: Any) -> str | None:
        if request.method != "POST":
            return None
        return self.cache_format % {"scope": self.scope, "ident": request.user.pk}
