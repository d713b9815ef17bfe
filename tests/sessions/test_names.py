"""Names of sessions and homes: always valid, never colliding, never inherited."""

from __future__ import annotations

import re
import secrets
from typing import Any

import pytest
from django.db import IntegrityError
from hypothesis import given
from hypothesis import strategies as st

from sessions import names, services
from sessions.models import Home, Session
from tests.making import make_template, make_user

DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
# Any text, and more often than chance has it: long words, dots, signs, other scripts.
TEXT = st.one_of(
    st.text(max_size=200),
    st.from_regex(r"[A-Za-z0-9._@+-]{0,150}", fullmatch=True),
    st.text(alphabet="äößÅſıİ-.—Ⅷ①𝔍文😀", max_size=80),
)


@given(user=TEXT, template=TEXT)
def test_session_names_are_dns_labels_for_any_user_and_template(user: str, template: str) -> None:
    name = names.session_name(user, template)
    assert DNS_LABEL.fullmatch(name)
    assert len(name) <= names.MAX_LENGTH == 52


@given(user=TEXT, taken=st.booleans())
def test_home_names_are_dns_labels_for_any_user(user: str, taken: bool) -> None:
    plain = names.home_name(user, set())
    name = names.home_name(user, {plain} if taken else set())
    assert DNS_LABEL.fullmatch(name)
    assert len(name) <= 52
    assert (name == plain) is not taken


@given(text=TEXT, length=st.integers(1, 60))
def test_a_slug_of_a_slug_is_itself(text: str, length: int) -> None:
    once = names.slug(text, length)
    assert names.slug(once, length) == once


def test_ten_thousand_sessions_of_one_user_and_template_have_different_names() -> None:
    made = {names.session_name("jo", "terminal") for _ in range(10_000)}
    assert len(made) > 9_990  # 32 random bits: one pair in a hundred runs


def test_a_long_user_name_leaves_room_for_the_template() -> None:
    name = names.session_name("u" * 100, "firefox")
    assert "-firefox-" in name
    assert len(name) == 52


@pytest.fixture
def suffixes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The random parts of the next names."""
    queue: list[str] = []
    monkeypatch.setattr(secrets, "token_hex", lambda _: queue.pop(0))
    return queue


@pytest.mark.django_db
def test_a_taken_name_is_tried_again_with_another_suffix(suffixes: list[str]) -> None:
    make_template()
    owner = make_user("jo")
    suffixes += ["aaaaaaaa", "aaaaaaaa", "bbbbbbbb"]
    first = services.launch(owner, "terminal")
    second = services.launch(owner, "terminal")
    assert (first.name, second.name) == ("jo-terminal-aaaaaaaa", "jo-terminal-bbbbbbbb")


@pytest.mark.django_db
def test_three_collisions_in_a_row_are_a_fault_and_leave_nothing_behind(
    suffixes: list[str],
) -> None:
    make_template()
    owner = make_user("jo")
    suffixes += ["aaaaaaaa"] * 4
    services.launch(owner, "terminal")
    with pytest.raises(IntegrityError):
        services.launch(owner, "terminal")
    assert Session.objects.count() == 1


@pytest.mark.django_db
def test_sessions_of_one_user_share_one_home() -> None:
    make_template()
    owner = make_user("jo")
    homes = {services.launch(owner, "terminal").home for _ in range(3)}
    assert [home.name for home in homes if home] == ["home-jo"]


@pytest.mark.django_db
def test_a_new_user_of_the_same_name_never_inherits_a_home() -> None:
    make_template()
    old = make_user("jo")
    home = services.launch(old, "terminal").home
    assert home is not None
    old.delete()
    left = Home.objects.get(pk=home.pk)
    assert left.owner is None
    new_home = services.launch(make_user("jo"), "terminal").home
    assert new_home is not None
    assert new_home.name != left.name


@pytest.mark.django_db
def test_users_whose_names_read_the_same_get_homes_of_their_own() -> None:
    make_template()
    homes = [services.launch(make_user(n), "terminal").home for n in ("jo.doe", "jo-doe")]
    assert len({home.name for home in homes if home}) == 2


@pytest.mark.django_db
def test_a_home_name_that_is_taken_at_the_same_moment_is_no_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The other transaction has not committed when this one looks: it sees no such name."""
    make_template()
    services.launch(make_user("jo.doe"), "terminal")
    original = names.home_name
    looks: list[str] = []

    def home_name(user: str, taken: Any) -> str:
        looks.append(user)
        return original(user, set() if len(looks) <= 2 else taken)

    monkeypatch.setattr(names, "home_name", home_name)
    home = services.launch(make_user("jo-doe"), "terminal").home
    assert home is not None
    assert home.name.startswith("home-jo-doe-")
