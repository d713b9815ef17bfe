"""The operator's console: people, groups, quotas and tokens."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse

from streamspace.accounts.models import ApiToken, Quota, User
from streamspace.accounts.services import create_token

PAGES = ("accounts_user", "accounts_quota", "accounts_apitoken", "auth_group")


@pytest.fixture
def ada(db: None) -> User:
    user = User.objects.create_user("ada", "ada@example.com")
    group = Group.objects.create(name="students")
    user.groups.add(group)
    Quota.objects.create(group=group, max_sessions=3)
    Quota.objects.create(user=user, max_running=2)
    Quota.objects.create(max_sessions=1)
    return user


def operator(client: Client, **fields: Any) -> User:
    """Sign in as staff with every permission that does not come from being superuser."""
    user = User.objects.create_user("operator", is_staff=True, **fields)
    user.user_permissions.set(Permission.objects.all())
    client.force_login(user)
    return user


@pytest.mark.parametrize("page", PAGES)
def test_lists_and_searches_open(admin_client: Client, ada: User, page: str) -> None:
    create_token(ada, "ci")
    address = reverse(f"admin:{page}_changelist")
    assert admin_client.get(address).status_code == 200
    assert admin_client.get(address, {"q": "a"}).status_code == 200


@pytest.mark.parametrize("kind", ["default", "group", "user"])
def test_quotas_filter_by_whom_they_are_for(admin_client: Client, ada: User, kind: str) -> None:
    response = admin_client.get(reverse("admin:accounts_quota_changelist"), {"kind": kind})
    assert response.context["cl"].result_count == 1


def test_the_users_page_has_the_quota(admin_client: Client, ada: User) -> None:
    page = admin_client.get(reverse("admin:accounts_user_change", args=[ada.pk]))
    assert b'name="quota-0-max_running" value="2"' in page.content


def test_a_second_default_quota_is_explained(admin_client: Client, ada: User) -> None:
    response = admin_client.post(reverse("admin:accounts_quota_add"), {"max_sessions": 9})
    assert b"There is a default quota already" in response.content


def test_tokens_show_no_secret_and_can_be_revoked(admin_client: Client, ada: User) -> None:
    token, secret = create_token(ada, "ci")
    address = reverse("admin:accounts_apitoken_changelist")
    page = admin_client.get(address).content.decode()
    assert "ci" in page
    assert secret not in page
    shown = admin_client.get(reverse("admin:accounts_apitoken_change", args=[token.pk]))
    # Its hash is the record's key and stands in addresses; as text it is nowhere.
    assert f">{token.digest}<" not in shown.content.decode()
    admin_client.post(
        address, {"action": "delete_selected", "_selected_action": [token.pk], "post": "yes"}
    )
    assert not ApiToken.objects.exists()


def test_operators_give_no_rights(client: Client, ada: User) -> None:
    operator(client)
    address = reverse("admin:accounts_user_change", args=[ada.pk])
    page = client.get(address).content
    for field in (b'name="is_staff"', b'name="is_superuser"', b'name="groups"'):
        assert field not in page
    client.post(address, {"username": "ada", "is_superuser": "on", "is_staff": "on"})
    ada.refresh_from_db()
    assert (ada.is_staff, ada.is_superuser) == (False, False)


def test_operators_do_not_touch_other_operators(client: Client, admin_user: User) -> None:
    operator(client)
    before = admin_user.password
    address = reverse("admin:accounts_user_change", args=[admin_user.pk])
    assert client.post(address, {"username": "mine"}).status_code == 403
    password = reverse("admin:auth_user_password_change", args=[admin_user.pk])
    new = {"password1": "a new long phrase", "password2": "a new long phrase"}
    assert client.post(password, new).status_code == 403
    client.post(
        reverse("admin:accounts_user_changelist"),
        {"action": "deactivate", "_selected_action": [admin_user.pk]},
    )
    admin_user.refresh_from_db()
    assert (admin_user.username, admin_user.is_active) == ("admin", True)
    assert admin_user.password == before


def test_operators_do_not_set_their_own_quota(client: Client, db: None) -> None:
    user = operator(client)
    own = Quota.objects.create(user=user, max_sessions=1)
    address = reverse("admin:accounts_quota_change", args=[own.pk])
    assert client.post(address, {"max_sessions": 9}).status_code == 403


def test_shutting_out_revokes_tokens(admin_client: Client, ada: User) -> None:
    create_token(ada, "ci")
    admin_client.post(
        reverse("admin:accounts_user_changelist"),
        {"action": "deactivate", "_selected_action": [ada.pk]},
    )
    ada.refresh_from_db()
    assert not ada.is_active
    assert not ApiToken.objects.exists()


@pytest.mark.django_db
def test_operators_sign_in_where_attempts_are_limited_and_second_factors_asked(
    client: Client,
) -> None:
    login = reverse("admin:login")
    for answer in (client.get(login), client.post(login, {"username": "a", "password": "b"})):
        assert answer.status_code == 302
        assert answer.headers["Location"].startswith(reverse("account_login"))


def test_who_is_no_operator_is_refused(client: Client, ada: User) -> None:
    client.force_login(ada)
    assert client.get(reverse("admin:index"), follow=True).status_code == 403
