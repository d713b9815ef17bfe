"""Whose limit counts, and what breaks it."""

from __future__ import annotations

from dataclasses import fields

import pytest
from django.contrib.auth.models import Group
from hypothesis import given
from hypothesis import strategies as st

from streamspace.accounts.models import Quota, User
from streamspace.accounts.quotas import Limits, Use, combine, excesses, limits_of
from streamspace.accounts.services import set_quota

RESOURCES = [field.name for field in fields(Limits)]
amounts = st.integers(min_value=0, max_value=10**9)
limits = st.builds(Limits, **{name: st.none() | amounts for name in RESOURCES})
uses = st.builds(Use, **dict.fromkeys(RESOURCES, amounts))


@given(own=st.none() | limits, groups=st.lists(limits, max_size=4), default=st.none() | limits)
def test_each_limit_comes_from_the_first_rule_that_has_one(
    own: Limits | None, groups: list[Limits], default: Limits | None
) -> None:
    combined = combine(own, groups, default)
    for name in RESOURCES:
        of_groups = [v for g in groups if (v := getattr(g, name)) is not None]
        rules = [
            getattr(own, name, None),
            max(of_groups, default=None),
            getattr(default, name, None),
        ]
        first = next((rule for rule in rules if rule is not None), None)
        assert getattr(combined, name) == first


@given(limits=limits, use=uses, added=uses)
def test_what_passes_stays_within_the_limits(limits: Limits, use: Use, added: Use) -> None:
    broken = {excess.resource for excess in excesses(limits, use, added)}
    for name in RESOURCES:
        limit, after = getattr(limits, name), getattr(use + added, name)
        over = limit is not None and after > limit
        assert (name in broken) == (over and getattr(added, name) > 0)


@given(limits=limits, use=uses)
def test_what_adds_nothing_is_never_refused(limits: Limits, use: Use) -> None:
    assert excesses(limits, use, Use()) == []


@given(use=uses, added=uses)
def test_without_limits_everything_fits(use: Use, added: Use) -> None:
    assert excesses(Limits(), use, added) == []


@pytest.mark.django_db
def test_limits_come_from_one_query(django_assert_num_queries: object) -> None:
    ada = User.objects.create_user("ada")
    for name, count in (("small", 2), ("large", 5)):
        group = Group.objects.create(name=name)
        ada.groups.add(group)
        set_quota(group=group, max_sessions=count)
    other = Group.objects.create(name="other")
    set_quota(group=other, max_sessions=100)
    set_quota(user=User.objects.create_user("bob"), max_sessions=100)
    set_quota(max_sessions=1, max_running=1)
    set_quota(user=ada, max_running=3)
    with django_assert_num_queries(1):  # type: ignore[operator]
        assert limits_of(ada) == Limits(sessions=5, running=3)


@pytest.mark.django_db
def test_setting_a_quota_keeps_what_is_not_named() -> None:
    set_quota(max_sessions=1, max_running=2)
    set_quota(max_sessions=None)
    quota = Quota.objects.get()
    assert (quota.max_sessions, quota.max_running) == (None, 2)
    with pytest.raises(TypeError):
        set_quota(max_gpu=1)
