"""Every error code of the API: its status and what it means. Codes are a contract."""

from __future__ import annotations

from typing import NamedTuple


class Code(NamedTuple):
    """One documented error."""

    status: int
    meaning: str


CODES: dict[str, Code] = {
    "invalid_request": Code(
        400, "Something in the request is missing, unknown or out of range; `details` names it."
    ),
    "not_authenticated": Code(401, "No valid token and no signed-in browser."),
    "permission_denied": Code(403, "You may see it, but not do this."),
    "cross_origin": Code(403, "A page of another origin made this request."),
    "quota_exceeded": Code(
        403,
        "The owner's quota does not leave room; `details.exceeded` lists the limits and "
        "`details.could_hibernate` sessions that could make room.",
    ),
    "not_found": Code(404, "There is no such thing, or not for you."),
    "session_not_found": Code(404, "There is no such session, or not for you."),
    "template_not_found": Code(404, "There is no such template."),
    "user_not_found": Code(404, "There is no such user."),
    "token_not_found": Code(404, "There is no such token, or it is not yours."),
    "method_not_allowed": Code(405, "This address does not do that."),
    "not_acceptable": Code(406, "Answers are JSON; the Accept header rules that out."),
    "conflict": Code(409, "The state of the thing does not allow it now."),
    "template_unavailable": Code(
        409, "The template cannot be launched now; the message says what to do."
    ),
    "not_running": Code(409, "Only a running session can do that; wake it first."),
    "terminated": Code(409, "The session is over; launch a new one."),
    "username_taken": Code(409, "There is a user of that name."),
    "group_exists": Code(409, "There is a group of that name."),
    "quota_exists": Code(409, "There is a quota for that user, group or everybody; change it."),
    "too_many_tokens": Code(409, "You have as many tokens as one user can have."),
    "payload_too_large": Code(413, "The body is larger than one mebibyte."),
    "unsupported_media_type": Code(415, "Bodies are JSON: `Content-Type: application/json`."),
    "rate_limited": Code(429, "Too many requests; `Retry-After` says when to try again."),
    "internal_error": Code(500, "A fault of StreamSpace; the operator's log has the cause."),
    "unavailable": Code(503, "The database is away; try again in a moment."),
    "storage_full": Code(507, "The disk is full; an operator must make room. Nothing was lost."),
}

GENERAL: dict[int, str] = {}
"""Status → the code of errors that have no code of their own."""
for _name in (
    "invalid_request",
    "not_authenticated",
    "permission_denied",
    "not_found",
    "method_not_allowed",
    "not_acceptable",
    "conflict",
    "payload_too_large",
    "unsupported_media_type",
    "rate_limited",
    "internal_error",
    "unavailable",
):
    GENERAL[CODES[_name].status] = _name


def table() -> str:
    """The codes as a Markdown table."""
    rows = [f"| `{name}` | {code.status} | {code.meaning} |" for name, code in CODES.items()]
    return "\n".join(["| code | status | meaning |", "|---|---|---|", *rows])
