"""Quota, tokens, signing in and out, and pages for what went wrong."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.template.loader import render_to_string
from django.test import Client
from django.utils import timezone

from streamspace import settings as product_settings
from streamspace.accounts.models import ApiToken, Quota, User
from streamspace.accounts.services import create_token

from .conftest import MakeSession


def test_quota_shows_use_against_limits(
    alice: User, alices: Client, make_session: MakeSession
) -> None:
    Quota.objects.create(max_running=4, max_memory_mib=4096)
    make_session(alice)
    page = alices.get("/quota").content.decode()
    assert re.search(r"<b>1</b>\s*<span class=\"soft\">of 4", page)
    assert re.search(r"<b>1 GiB</b>\s*<span class=\"soft\">of 4 GiB", page)
    assert "no limit" in page


@pytest.mark.parametrize(
    ("address", "button"),
    [
        ("/accounts/password/change/", r"<button[^<>]*type=\"submit\"[^<>]*>\s*Change Password"),
        ("/accounts/2fa/", r"<a[^<>]*href=\"[^\"]*/totp/activate/\"[^<>]*>\s*Activate"),
        ("/accounts/reauthenticate/", r"<button[^<>]*type=\"submit\"[^<>]*>\s*Confirm"),
        ("/accounts/email/", r"<button[^<>]*name=\"action_add\"[^<>]*>\s*Add Email"),
    ],
)
def test_the_pages_of_an_account_can_be_used(address: str, button: str, alice: User) -> None:
    """They come from allauth, and its buttons from our elements; a formatter once tore them."""
    browser = Client()
    browser.login(username="alice", password="a long passphrase")
    page = browser.get(address, follow=True).content.decode()
    assert re.search(button, page), page


def test_a_new_token_is_shown_once(alice: User, alices: Client) -> None:
    page = alices.post("/tokens", {"name": "CI", "lifetime": "7d"}).content.decode()
    token = ApiToken.objects.get(user=alice)
    assert token.name == "CI"
    secret = re.search(r'id="secret">([^<]+)<', page)
    assert secret
    assert token.expiry is not None
    assert token.expiry < timezone.now() + timedelta(days=7, minutes=1)
    later = alices.get("/tokens").content.decode()
    assert secret[1] not in later
    assert token.token_key in later


def test_a_token_lives_no_longer_than_allowed(alices: Client) -> None:
    answer = alices.post("/tokens", {"name": "CI", "lifetime": "9999d"})
    assert answer.status_code == 400
    assert not ApiToken.objects.exists()


@pytest.mark.parametrize("fields", [{"name": ""}, {"name": "CI", "lifetime": "long"}])
def test_a_token_that_makes_no_sense_is_refused(fields: dict[str, str], alices: Client) -> None:
    assert alices.post("/tokens", fields).status_code == 400


def test_the_longest_lifetime_is_offered(alices: Client) -> None:
    days = settings.STREAMSPACE.token_lifetime.days
    assert f'value="{days}d" selected' in alices.get("/tokens").content.decode()


def test_a_token_is_revoked(alice: User, alices: Client) -> None:
    token, _ = create_token(alice, "CI")
    alices.post(f"/tokens/{token.token_key}/revoke")
    assert not ApiToken.objects.exists()


def test_somebody_elses_token_stays(alice: User, bobs: Client) -> None:
    token, _ = create_token(alice, "CI")
    bobs.post(f"/tokens/{token.token_key}/revoke")
    assert ApiToken.objects.exists()


def test_tokens_of_others_are_not_listed(alice: User, bobs: Client) -> None:
    token, _ = create_token(alice, "CI")
    assert token.token_key not in bobs.get("/tokens").content.decode()


def test_the_sign_in_is_ours_and_offers_no_registration(client: Client, db: None) -> None:
    page = client.get("/accounts/login/").content.decode()
    assert "Your applications, in a browser tab." in page
    assert "signup" not in page


def test_someone_signs_in_and_comes_to_where_they_wanted(alice: User, client: Client) -> None:
    answer = client.post(
        "/accounts/login/?next=/quota",
        {"login": "alice", "password": "a long passphrase", "next": "/quota"},
    )
    assert answer.headers["Location"] == "/quota"


def test_a_wrong_password_says_so(alice: User, client: Client) -> None:
    page = client.post("/accounts/login/", {"login": "alice", "password": "no"}).content.decode()
    assert 'role="alert"' in page


def test_signing_out_takes_a_post(alices: Client) -> None:
    assert "Sign out?" in alices.get("/accounts/logout/").content.decode()
    alices.post("/accounts/logout/")
    assert alices.get("/").status_code == 302


@pytest.mark.parametrize(
    "address",
    ["/accounts/password/change/", "/accounts/2fa/", "/accounts/email/"],
)
def test_account_pages_wear_our_clothes(address: str, alices: Client) -> None:
    page = alices.get(address, follow=True).content.decode()
    assert "streamspace/tokens.css" in page
    assert "logo-mark" in page


@pytest.mark.parametrize(("staff", "shown"), [(True, True), (False, False)])
def test_only_staff_see_the_way_to_the_admin(
    staff: bool, shown: bool, alice: User, alices: Client
) -> None:
    User.objects.filter(pk=alice.pk).update(is_staff=staff)
    assert ('href="/admin/"' in alices.get("/").content.decode()) == shown


def test_what_is_not_there_has_a_page(alices: Client) -> None:
    answer = alices.get("/nothing/here")
    assert answer.status_code == 404
    assert "There is nothing here" in answer.content.decode()


@pytest.mark.parametrize("name", ["400.html", "403.html", "404.html", "500.html", "403_csrf.html"])
def test_error_pages_need_nothing(name: str) -> None:
    page = render_to_string(name)
    assert "<h1>" in page
    assert "streamspace/tokens.css" in page


def test_no_page_holds_inline_scripts_or_styles(
    alice: User, alices: Client, make_session: MakeSession
) -> None:
    session = make_session(alice)
    for address in (
        "/",
        "/quota",
        "/tokens",
        "/templates/firefox",
        f"/sessions/{session.name}",
        f"/sessions/{session.name}/enter",
        "/accounts/password/change/",
    ):
        page = alices.get(address).content.decode()
        assert not re.findall(r"<script(?![^>]*\bsrc=)[^>]*>", page), address
        assert not re.findall(r"<style|\sstyle=|\son[a-z]+=", page), address


def test_an_answer_to_someone_is_kept_by_nobody(alices: Client) -> None:
    assert alices.get("/").headers["Cache-Control"] == "private, no-store"


@pytest.mark.parametrize("path", ["", "done/", "key/1-set-password/"])
def test_nobody_is_promised_a_mail_with_a_new_password(client: Client, path: str) -> None:
    assert client.get(f"/accounts/password/reset/{path}").status_code == 404


def test_a_mail_address_is_added_although_no_mail_can_be_sent(
    alices: Client, settings: Any
) -> None:
    assert product_settings.EMAIL_BACKEND.startswith("django.core.mail.backends.dummy")
    settings.EMAIL_BACKEND = product_settings.EMAIL_BACKEND
    answer = alices.post("/accounts/email/", {"action_add": "", "email": "alice@example.org"})
    assert answer.status_code == 302
