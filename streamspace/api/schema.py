"""drf-spectacular with types, and what every operation of the schema says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from drf_spectacular.utils import extend_schema, extend_schema_field, extend_schema_view

T = TypeVar("T")


def documented(**about: Any) -> Callable[[T], T]:
    """``drf_spectacular.utils.extend_schema``, which ships no types."""
    return cast("Callable[[T], T]", extend_schema(**about))


def documented_views(**views: Any) -> Callable[[T], T]:
    """``drf_spectacular.utils.extend_schema_view``."""
    return cast("Callable[[T], T]", extend_schema_view(**views))


def shaped(schema: Any) -> Callable[[T], T]:
    """``drf_spectacular.utils.extend_schema_field``: what a field looks like in JSON."""
    return cast("Callable[[T], T]", extend_schema_field(schema))
