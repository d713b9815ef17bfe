"""Close codes of the stream's WebSockets: a contract with the viewer's script."""

from __future__ import annotations

from enum import IntEnum


class Close(IntEnum):
    """Why a stream's WebSocket was closed, and what the viewer does about it."""

    GOING_AWAY = 1001
    """The server is restarting: reconnect."""
    PROTOCOL = 1002
    """The browser's RFB was not understood: reload."""
    BACKEND_LOST = 1011
    """The session's program ended or cannot be reached: reconnect with back-off."""
    ENTRY_NEEDED = 4401
    """No valid entry, or the sign-in ended: go to the portal's entry page."""
    REVOKED = 4403
    """The user may not (any more): say so, do not reconnect."""
    GONE = 4404
    """The session is over: say so, do not reconnect."""
    NOT_RUNNING = 4409
    """Hibernated, or not up yet: wait for the status socket."""


REASONS = {
    Close.GOING_AWAY: "The server is restarting.",
    Close.PROTOCOL: "The viewer sent something that is not understood.",
    Close.BACKEND_LOST: "The session's display was lost.",
    Close.ENTRY_NEEDED: "Enter the session from the portal.",
    Close.REVOKED: "Access was taken back.",
    Close.GONE: "The session was terminated.",
    Close.NOT_RUNNING: "The session is not running.",
}
