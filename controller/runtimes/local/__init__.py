"""Sessions as local processes. ``LocalRuntime`` is the only name that others need."""

from __future__ import annotations

from .runtime import LocalRuntime

__all__ = ["LocalRuntime"]
