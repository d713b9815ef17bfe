"""What can be done to people, their tokens and their quotas. API and admin call these.

Errors are :class:`streamspace.errors.UserError`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from streamspace.config import format_duration
from streamspace.errors import Conflict, NotFound, UserError

from .models import ApiToken, Quota, User

MAX_TOKENS = 50
"""Valid tokens of one user. A script that makes one per run must notice, not fill the table."""

LIMITS = (
    "max_sessions",
    "max_running",
    "max_cpu_millicores",
    "max_memory_mib",
    "max_storage_mib",
)
"""The fields of a quota that limit something."""


def create_token(
    user: User, name: str, lifetime: timedelta | None = None, *, parent: ApiToken | None = None
) -> tuple[ApiToken, str]:
    """Make a token; return its record and its secret, which exists nowhere else from then on.

    ``lifetime`` None asks for the longest one (``STREAMSPACE_TOKEN_LIFETIME``). ``parent`` is the
    token that the request was authenticated with: its child ends no later than itself, so that
    whoever found a token cannot prolong what they found.

    Raises UserError for a name or lifetime out of range, Conflict (``too_many_tokens``).
    """
    name = name.strip()
    if not 1 <= len(name) <= 100:
        raise UserError(
            "A token's name has between 1 and 100 characters.", details={"field": "name"}
        )
    longest: timedelta = settings.STREAMSPACE.token_lifetime
    now = timezone.now()
    because = ""
    if parent is not None and parent.expiry is not None and parent.expiry - now < longest:
        longest = parent.expiry - now
        because = ", the rest of the life of the token that you use"
    if lifetime is not None and not timedelta(0) < lifetime <= longest:
        raise UserError(
            f"A token lives for at most {format_duration(longest)}{because}.",
            details={"field": "lifetime"},
        )
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        ApiToken.objects.filter(user=user, expiry__lte=now).delete()
        if ApiToken.objects.filter(user=user).count() >= MAX_TOKENS:
            raise Conflict(
                f"You have {MAX_TOKENS} tokens already; delete one that is no longer used.",
                code="too_many_tokens",
            )
        token, secret = ApiToken.objects.create(  # type: ignore[no-untyped-call]
            user=user, name=name, expiry=lifetime or longest
        )
    return token, secret


def revoke_token(user: User, pk: str) -> None:
    """Make one of the user's tokens worthless at once.

    ``pk`` is the record's key or the visible beginning of the token (``token_key``).
    Raises NotFound (``token_not_found``), also for somebody else's.
    """
    deleted, _ = ApiToken.objects.filter(Q(pk=pk) | Q(token_key=pk), user=user).delete()
    if not deleted:
        raise NotFound("There is no such token.", code="token_not_found")


def create_user(username: str, *, password: str | None = None, **fields: Any) -> User:
    """Make a person who can sign in; without a password only through single sign-on.

    ``fields`` are the model's own. Raises Conflict (``username_taken``), UserError for a name or
    password that is not acceptable.
    """
    user = User(username=User.normalize_username(username), **fields)
    if username.lower() == "me":
        raise UserError("This name is reserved.", details={"field": "username"})
    set_password(user, password, save=False)
    try:
        user.full_clean(exclude=["password"], validate_unique=False)
        with transaction.atomic():
            user.save(force_insert=True)
    except ValidationError as error:
        raise _invalid(error) from None
    except IntegrityError:
        raise Conflict(f"There is a user {username!r} already.", code="username_taken") from None
    return user


def set_password(user: User, password: str | None, *, save: bool = True) -> None:
    """Set a password that Django's validators accept, or none at all (single sign-on only)."""
    if password is None:
        user.set_unusable_password()
    else:
        try:
            validate_password(password, user)
        except ValidationError as error:
            raise UserError(
                " ".join(error.messages), details={"password": error.messages}
            ) from None
        user.set_password(password)
    if save:
        user.save(update_fields=["password"])


def set_quota(
    *, user: User | None = None, group: Group | None = None, **limits: int | None
) -> Quota:
    """Set limits of a user, of a group, or (neither) of everybody; what is not named stays.

    None lifts a limit, which leaves the next rule to decide.
    """
    if unknown := limits.keys() - set(LIMITS):
        raise TypeError(f"not limits: {sorted(unknown)}")
    with transaction.atomic():
        quota, _ = Quota.objects.select_for_update().get_or_create(user=user, group=group)
        for name, value in limits.items():
            setattr(quota, name, value)
        quota.save()
    return quota


def _invalid(error: ValidationError) -> UserError:
    details = error.message_dict if hasattr(error, "error_dict") else {"username": error.messages}
    return UserError(" ".join(error.messages), details=details)
