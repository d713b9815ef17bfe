"""Entry codes, and the cookie they are swapped for.

A stream never sees the portal's cookie. The portal issues a *code* for one user, session and role;
its page posts it to the session's origin, which swaps it for that origin's own cookie.

- A code works once, for :data:`CODE_LIFETIME` seconds, at one session's origin. The cache holds its
  hash only; deleting the entry is the claim, so of two that come at once one wins.
- The cookie is signed, good for one session, and names a user and the portal sign-in it came from
  (sealed: the browser's owner could read a signed value). It grants nothing by itself: the role is
  looked up each time, and the cookie is worthless once the user has signed out, changed the
  password or was deactivated, because the sign-in is looked up too (:func:`sign_in_alive`).

Pages of sibling origins can plant cookies for the whole domain ("tossing"), so several of one name
may arrive; :func:`read_cookie` takes the first that verifies *for this session*.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib import import_module
from typing import Any
from uuid import UUID

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.core import signing
from django.core.cache import cache
from django.utils.crypto import constant_time_compare

from sessions.models import Session
from streamspace.accounts.models import User

from . import origins

CODE_LIFETIME = 30
"""Seconds; a redirect and a page load, not a person."""

COOKIE_LIFETIME = 12 * 3600
"""Seconds in which a new connection may be opened. What is open stays open for as long as the
portal sign-in lives."""

_MAX_CANDIDATES = 8
"""Cookies of our name that are looked at; more than one is somebody's mischief already."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Who entered which session, from which portal sign-in. Holds a secret: never log it."""

    session_id: str
    """Hexadecimal UUID."""
    user_id: int
    sign_in: str
    """The portal's session key."""

    def __repr__(self) -> str:
        return f"<Entry of user {self.user_id} to session {self.session_id}>"

    @property
    def sign_in_group(self) -> str:
        """Channel-layer group of the streams that were entered from this sign-in."""
        return sign_in_group(self.sign_in)


def sign_in_group(session_key: str) -> str:
    """Channel-layer group of a portal sign-in's streams; does not give the key away."""
    return "stream.sign_in." + hashlib.sha256(session_key.encode()).hexdigest()[:32]


# --- Codes


def _slot(code: str) -> str:
    return "stream-code:" + hashlib.sha256(code.encode()).hexdigest()


def issue(user: User, session: Session, role: str, sign_in: str) -> str:
    """A code that lets ``user`` enter ``session`` once.

    ``sign_in`` is the portal's ``request.session.session_key``. The caller has checked that
    ``access_role(session, user)`` is ``role``; it is checked again at every use.
    """
    if not sign_in:
        raise ValueError("entering needs a portal sign-in")
    code = secrets.token_urlsafe(32)
    entry = Entry(session.id.hex, user.pk, _seal(sign_in))
    cache.set(_slot(code), {**asdict(entry), "name": session.name, "role": role}, CODE_LIFETIME)
    return code


def redeem(code: str, session_name: str) -> Entry | None:
    """Claim a code at the origin of ``session_name``; None if it is used, expired or another's."""
    slot = _slot(code)
    found = cache.get(slot)
    if found is None or not cache.delete(slot):
        return None
    if found["name"] != session_name:
        return None  # and spent: it was shown to somebody it is not for
    key = _unseal(found["sign_in"])
    return Entry(found["session_id"], found["user_id"], key) if key else None


# --- The cookie


def cookie_name() -> str:
    if origins.secure():
        return "__Host-ss-stream"
    return f"ss-stream-{settings.STREAMSPACE.installation_tag}"


def _salt(session_name: str) -> str:
    return f"sessions.stream.cookie:{session_name}"


def make_cookie(entry: Entry, session_name: str) -> str:
    """The value of the stream's cookie at the origin of ``session_name``."""
    value = {"s": entry.session_id, "u": entry.user_id, "k": _seal(entry.sign_in)}
    return signing.dumps(value, salt=_salt(session_name))


def set_cookie_header(value: str) -> str:
    """``Set-Cookie`` for :func:`make_cookie`: host-only, out of reach of scripts.

    Lax, not Strict: the cookie must come along on the redirect that ends a form post from the
    portal, which is another site.
    """
    flags = "; Secure" if origins.secure() else ""
    return (
        f"{cookie_name()}={value}; Max-Age={COOKIE_LIFETIME}; Path=/; HttpOnly; SameSite=Lax{flags}"
    )


def read_cookie(cookie_headers: Iterable[str], session_name: str) -> Entry | None:
    """The entry that the browser holds for this session, or None."""
    candidates = [
        value
        for header in cookie_headers
        for name, value in split_cookies(header)
        if name == cookie_name()
    ]
    for value in candidates[:_MAX_CANDIDATES]:
        try:
            found: dict[str, Any] = signing.loads(
                value, salt=_salt(session_name), max_age=COOKIE_LIFETIME
            )
        except signing.BadSignature:
            continue
        if key := _unseal(found["k"]):
            return Entry(str(found["s"]), int(found["u"]), key)
    return None


def split_cookies(header: str) -> list[tuple[str, str]]:
    """Name and value of each cookie of a ``Cookie`` header, as they stand there."""
    pairs = (part.strip().partition("=") for part in header.split(";"))
    return [(name.strip(), value.strip()) for name, _, value in pairs if name.strip()]


# --- The sign-in behind it


def sign_in_alive(entry: Entry, user: User) -> bool:
    """Whether the portal sign-in that the stream was entered from still exists, for this user
    and this password. Reads the database."""
    store = import_module(settings.SESSION_ENGINE).SessionStore(entry.sign_in)
    data = store.load()
    return str(data.get(SESSION_KEY, "")) == str(user.pk) and constant_time_compare(
        data.get(HASH_SESSION_KEY, ""), user.get_session_auth_hash()
    )


def user_of(entry: Entry) -> User | None:
    """The entry's user, if the account is active and the sign-in still lives."""
    user = User.objects.filter(pk=entry.user_id, is_active=True).first()
    return user if user is not None and sign_in_alive(entry, user) else None


def session_of(entry: Entry) -> Session | None:
    """The entry's session, whatever has become of it."""
    return (
        Session.objects.select_related("owner", "revision")
        .filter(pk=UUID(hex=entry.session_id))
        .first()
    )


@lru_cache(maxsize=4)
def _fernet(key: str) -> Fernet:
    digest = hashlib.sha256(f"sessions.stream.sign-in:{key}".encode()).digest()
    return Fernet(base64.urlsafe_b64encode(digest))


def _seal(text: str) -> str:
    return _fernet(settings.SECRET_KEY).encrypt(text.encode()).decode()


def _unseal(sealed: str) -> str | None:
    try:
        return _fernet(settings.SECRET_KEY).decrypt(sealed.encode()).decode()
    except InvalidToken:
        return None
