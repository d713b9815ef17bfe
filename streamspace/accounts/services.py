"""What can be done to people, their tokens and their quotas. API and admin call these.

Errors are :class:`streamspace.errors.UserError`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from knox.models import get_digest_token
from knox.settings import CONSTANTS

from streamspace.config import format_duration
from streamspace.errors import Conflict, NotFound, Refused, UserError

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

RIGHTS = frozenset({"is_staff", "is_superuser", "groups", "user_permissions"})
"""The fields of a user that say what they may do."""


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
        digest, secret = get_digest_token()  # type: ignore[no-untyped-call]
        # Not by knox's manager, which would count the lifetime from a moment after ours.
        token = ApiToken(
            digest=digest,
            token_key=secret[: CONSTANTS.TOKEN_KEY_LENGTH],
            user=user,
            name=name,
            expiry=now + (lifetime or longest),
        )
        token.save(force_insert=True)
    return token, secret


def revoke_token(user: User, pk: str) -> None:
    """Make one of the user's tokens worthless at once.

    ``pk`` is the record's key or the visible beginning of the token (``token_key``).
    Raises NotFound (``token_not_found``), also for somebody else's.
    """
    deleted, _ = ApiToken.objects.filter(Q(pk=pk) | Q(token_key=pk), user=user).delete()
    if not deleted:
        raise NotFound("There is no such token.", code="token_not_found")


def create_user(
    username: str, *, password: str | None = None, actor: User | None = None, **fields: Any
) -> User:
    """Make a person who can sign in; without a password only through single sign-on.

    ``fields`` are the model's own, and ``groups`` (names). ``actor`` is whoever asked, None for
    StreamSpace itself. Raises Conflict (``username_taken``), Refused when the actor may not give
    the rights among the fields, UserError for a name or password that is not acceptable.
    """
    _refuse_rights(actor, fields)
    groups = _groups(fields.pop("groups", []))
    if username.lower() == "me":
        raise UserError("This name is reserved.", details={"username": ["This name is reserved."]})
    user = User(username=User.normalize_username(username), **fields)
    _set_password(user, password)
    try:
        user.full_clean(exclude=["password"], validate_unique=False)
        with transaction.atomic():
            user.save(force_insert=True)
            user.groups.set(groups)
    except ValidationError as error:
        raise _invalid(error) from None
    except IntegrityError:
        raise Conflict(f"There is a user {username!r} already.", code="username_taken") from None
    return user


def change_user(user: User, *, actor: User | None = None, **fields: Any) -> User:
    """Change what is named in ``fields`` (as in :func:`create_user`, ``password`` included).

    Who is shut out, or gets a new password from an operator, loses their API tokens: both are
    what an operator does when an account fell into wrong hands.

    Raises Refused: only superusers change operators' accounts or anybody's rights, and not even
    they take the way back in from themselves.
    """
    _refuse_rights(actor, fields)
    if actor is not None:
        if (user.is_staff or user.is_superuser) and not actor.is_superuser:
            raise Refused("Only superusers may change an operator's account.")
        lost = [f for f in ("is_active", "is_superuser") if fields.get(f) is False]
        if actor.pk == user.pk and lost:
            raise Refused("You cannot take your own access away; another superuser can.")
    groups = _groups(fields.pop("groups")) if "groups" in fields else None
    shut_out = fields.get("is_active") is False or "password" in fields
    if "password" in fields:
        _set_password(user, fields.pop("password"))
    for name, value in fields.items():
        setattr(user, name, value)
    try:
        user.full_clean(exclude=["password"], validate_unique=False)
    except ValidationError as error:
        raise _invalid(error) from None
    with transaction.atomic():
        user.save()
        if groups is not None:
            user.groups.set(groups)
        if shut_out:
            ApiToken.objects.filter(user=user).delete()
    return user


def _refuse_rights(actor: User | None, fields: dict[str, Any]) -> None:
    if actor is None or actor.is_superuser:
        return
    if given := sorted(RIGHTS & fields.keys()):
        raise Refused("Only superusers may give or take rights.", details={"fields": given})


def _groups(names: Iterable[str]) -> list[Group]:
    wanted = set(names)
    found = list(Group.objects.filter(name__in=wanted))
    if missing := sorted(wanted - {group.name for group in found}):
        raise UserError(
            f"There is no group {missing[0]!r}.",
            details={"groups": [f"There is no group {name!r}." for name in missing]},
        )
    return found


def _set_password(user: User, password: str | None) -> None:
    """A password that Django's validators accept, or none at all."""
    if password is None:
        user.set_unusable_password()
        return
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise UserError(" ".join(error.messages), details={"password": error.messages}) from None
    user.set_password(password)


def set_quota(
    *,
    user: User | None = None,
    group: Group | None = None,
    actor: User | None = None,
    **limits: int | None,
) -> Quota:
    """Set limits of a user, of a group, or (neither) of everybody; what is not named stays.

    None lifts a limit, which leaves the next rule to decide. Raises Refused for operators who
    would change their own.
    """
    with transaction.atomic():
        quota = Quota.objects.select_for_update().filter(user=user, group=group).first()
        return change_quota(quota or Quota(user=user, group=group), actor=actor, **limits)


def add_quota(
    *,
    user: User | None = None,
    group: Group | None = None,
    actor: User | None = None,
    **limits: int | None,
) -> Quota:
    """As :func:`set_quota`, but raises Conflict (``quota_exists``) when there is one."""
    try:
        with transaction.atomic():
            return change_quota(Quota(user=user, group=group), actor=actor, **limits)
    except IntegrityError:
        raise Conflict("There is such a quota already; change it.", code="quota_exists") from None


def change_quota(quota: Quota, *, actor: User | None = None, **limits: int | None) -> Quota:
    """Set the named limits of this quota."""
    if unknown := limits.keys() - set(LIMITS):
        raise TypeError(f"not limits: {sorted(unknown)}")
    _refuse_own(quota, actor)
    for name, value in limits.items():
        setattr(quota, name, value)
    quota.save()
    return quota


def delete_quota(quota: Quota, *, actor: User | None = None) -> None:
    """Leave whom it was for to the next rule."""
    _refuse_own(quota, actor)
    quota.delete()


def _refuse_own(quota: Quota, actor: User | None) -> None:
    if actor is not None and not actor.is_superuser and quota.user_id == actor.pk:
        raise Refused("Only a superuser may change your own quota.")


def add_group(name: str) -> Group:
    """Make a group. Raises Conflict (``group_exists``)."""
    return _save_group(Group(name=name))


def rename_group(group: Group, name: str) -> Group:
    """Give a group another name. Raises Conflict (``group_exists``)."""
    group.name = name
    return _save_group(group)


def _save_group(group: Group) -> Group:
    try:
        with transaction.atomic():
            group.save()
    except IntegrityError:
        raise Conflict(f"There is a group {group.name!r} already.", code="group_exists") from None
    return group


def _invalid(error: ValidationError) -> UserError:
    details = error.message_dict if hasattr(error, "error_dict") else {"username": error.messages}
    return UserError(" ".join(error.messages), details=details)
