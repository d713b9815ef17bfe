"""What every test gets. The database and the environment are chosen in ``tests/settings.py``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

pytest_plugins = ["tests.infra.outcomes", "tests.infra.fixtures"]

# Two shared cores: a slow example is no finding. Timeouts are pytest-timeout's business.
settings.register_profile("streamspace", deadline=None, print_blob=True)
settings.load_profile("streamspace")


@pytest.fixture(autouse=True)
def _empty_cache() -> Iterator[None]:
    """Rate limits and activity live in the cache and must not reach the next test."""
    yield
    from django.core.cache import cache

    cache.clear()
