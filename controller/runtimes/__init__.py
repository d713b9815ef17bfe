"""Where sessions run. ``base`` is the contract; each folder is one implementation."""

from __future__ import annotations

from functools import cache

from django.conf import settings

from streamspace.config import BASE_DIR

from .base import Runtime


@cache
def current_runtime() -> Runtime:
    """The runtime that ``STREAMSPACE_RUNTIME`` names; made on first use, one per process."""
    from .local import LocalRuntime

    # Where `make apps` puts the applications that Debian does not package.
    return LocalRuntime(settings.STREAMSPACE.data_dir, [BASE_DIR / ".apps" / "bin"])
