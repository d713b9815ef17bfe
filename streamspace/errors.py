"""Errors that the person who caused them can act on.

Everything else that is raised is a fault of the program or its surroundings: it is logged with
context and retried or surfaced, never shown as if it were the user's doing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class UserError(Exception):
    """A request that cannot be met, with what to do instead.

    ``code`` is stable and part of the API (``quota_exceeded``), ``message`` is one or two
    sentences that name the remedy, ``status`` the HTTP status of every door that speaks HTTP,
    ``details`` JSON-ready facts for programs.
    """

    code = "invalid_request"
    status = 400

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        status: int | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.status = status or type(self).status
        self.details: dict[str, Any] = dict(details or {})

    def as_dict(self) -> dict[str, Any]:
        """The error body of the API: ``{error, message, details}``."""
        return {"error": self.code, "message": self.message, "details": self.details}


class NotFound(UserError):
    """What is asked for does not exist, or not for this user: the two look the same."""

    code = "not_found"
    status = 404


class Refused(UserError):
    """The user may see the thing, but not do this to it."""

    code = "permission_denied"
    status = 403


class Conflict(UserError):
    """The thing's state does not allow it now."""

    code = "conflict"
    status = 409


class DatabaseAway(UserError):
    """The database does not take the request now; trying again later may help."""

    code = "unavailable"
    status = 503

    @classmethod
    def of(cls, error: Exception) -> DatabaseAway:
        """What a ``django.db.OperationalError`` means for whoever sent the request."""
        text = str(error).lower()
        # SQLite's SQLITE_FULL and PostgreSQL's 53100 (disk_full).
        if "is full" in text or "no space left" in text:
            return cls(
                "The disk of this StreamSpace is full: nothing can be changed until an operator "
                "makes room. Nothing was lost.",
                code="storage_full",
                status=507,
            )
        return cls("The database is away; try again in a moment.")


class QuotaExceeded(UserError):
    """The owner's quota does not leave room for it."""

    code = "quota_exceeded"
    status = 403
