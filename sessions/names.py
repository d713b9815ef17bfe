"""Names of sessions and homes.

Two requirements: always valid (a DNS label of at most 52 characters, which leaves room for
prefixes and suffixes within the 63 of Kubernetes), and no collisions (32 random bits, and the
database's unique constraint decides).
"""

from __future__ import annotations

import re
import secrets
import unicodedata

MAX_LENGTH = 52
_SUFFIX = 8


def slug(text: str, length: int) -> str:
    """``text`` as a DNS label of at most ``length`` characters; ``x`` when nothing is left.

    >>> slug("Jörg.Müller@example.com", 12)
    'jorg-muller'
    """
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    cleaned = re.sub(r"[^a-z0-9]+", "-", ascii_text.lower()).strip("-")
    return cleaned[:length].strip("-") or "x"


def session_name(user: str, template: str) -> str:
    """``<user>-<template>-<8 hex>``, shortened evenly to 52 characters."""
    room = MAX_LENGTH - _SUFFIX - 2
    template_part = slug(template, max(room // 2, room - len(slug(user, room))))
    user_part = slug(user, room - len(template_part))
    return f"{user_part}-{template_part}-{secrets.token_hex(_SUFFIX // 2)}"


def home_name(user: str, taken: frozenset[str] | set[str]) -> str:
    """``home-<user>``, with a random suffix when that name is taken by somebody's home."""
    plain = f"home-{slug(user, MAX_LENGTH - len('home-'))}"
    if plain not in taken:
        return plain
    room = MAX_LENGTH - len("home-") - _SUFFIX - 1
    return f"home-{slug(user, room)}-{secrets.token_hex(_SUFFIX // 2)}"
