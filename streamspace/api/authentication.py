"""Who is calling: an API token in ``Authorization: Bearer``, or a browser that is signed in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from knox.auth import TokenAuthentication
from rest_framework import exceptions
from rest_framework.authentication import SessionAuthentication

if TYPE_CHECKING:  # DRF loads this module, possibly before there are models
    from streamspace.accounts.models import ApiToken, User

_TOKEN = re.compile(rb"[0-9A-Za-z]{16,128}")


class BearerAuthentication(TokenAuthentication):
    """knox's tokens, made safe for any header and one query per request."""

    def authenticate_credentials(self, token: bytes) -> tuple[User, ApiToken]:
        # knox decodes as UTF-8 and asks the database as it is: other bytes would be faults.
        if not _TOKEN.fullmatch(token):
            raise exceptions.AuthenticationFailed("Invalid token.")
        return cast("tuple[User, ApiToken]", super().authenticate_credentials(token))  # type: ignore[no-untyped-call]

    def _cleanup_token(self, auth_token: ApiToken) -> bool:
        """Whether the token has expired. knox's own also reads all other tokens of the user, with
        each request; here those are deleted when the user makes a new one."""
        if auth_token.expiry is not None and auth_token.expiry <= timezone.now():
            auth_token.delete()
            return True
        return False


class BrowserAuthentication(SessionAuthentication):
    """The portal's cookie. Unsafe methods need the CSRF token too."""


class BearerScheme(OpenApiAuthenticationExtension):
    """How the schema describes tokens."""

    target_class = BearerAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "An API token, made under *API tokens* in the portal or at `/tokens`.",
        }


class BrowserScheme(OpenApiAuthenticationExtension):
    """How the schema describes the cookie: without its real name, which nobody may guess."""

    target_class = BrowserAuthentication
    name = "browser"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": "portal-session",
            "description": "A browser that is signed in to the portal. Requests that change "
            "something need `X-CSRFToken` as well. The cookie's name differs per installation.",
        }
