"""Serializer parts that several apps share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from rest_framework import serializers

from streamspace.api.schema import shaped
from streamspace.config import format_duration, parse_duration

LONGEST_DURATION = timedelta(days=365)
"""A year from now is still a date, whatever it is added to; 999999999d is not."""


class TextField(serializers.CharField):
    """Text that must be sent as text.

    DRF's own field takes ``12`` for ``"12"``, which turns a client's mistake into a name.
    """

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class StrictBooleanField(serializers.BooleanField):
    """``true`` or ``false``; DRF's own takes ``"off"`` and ``0`` too."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=repr(data)[:100])
        return data


class StrictIntegerField(serializers.IntegerField):
    """A whole number; DRF's own takes ``"12"``, ``12.0`` and ``true`` too."""

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("invalid")
        return super().to_internal_value(data)


class ParsedTextField(TextField):
    """Text with a grammar: ``parse`` raises ValueError with a sentence, ``format_value`` is its
    inverse."""

    parse: Callable[[str], Any]
    format_value: Callable[[Any], str]

    def __init__(self, **kwargs: Any) -> None:
        # No quantity or duration worth writing is longer.
        super().__init__(**{"max_length": 20, "trim_whitespace": True, **kwargs})

    def to_internal_value(self, data: Any) -> Any:
        text = super().to_internal_value(data)
        # Length is checked after this method; numbers of a thousand digits end here.
        if self.max_length is not None and len(text) > self.max_length:
            self.fail("max_length", max_length=self.max_length)
        try:
            return type(self).parse(text)
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from None

    def run_validators(self, value: Any) -> None:
        """The text validators judge text; what is parsed was judged by its parser."""

    def to_representation(self, value: Any) -> str:
        return type(self).format_value(value)


@shaped(
    {
        "type": "string",
        "pattern": r"^(?:\d+[smhd])+$",
        "maxLength": 20,
        "description": "A duration: `90s`, `30m`, `1h30m`, `2d`.",
        "example": "30m",
    }
)
class DurationField(ParsedTextField):
    """``30m`` ↔ timedelta; between a second and a year."""

    format_value = staticmethod(format_duration)

    @staticmethod
    def parse(text: str) -> timedelta:
        duration = parse_duration(text)
        if not timedelta(seconds=1) <= duration <= LONGEST_DURATION:
            raise ValueError("A duration lies between 1s and 365d.")
        return duration


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses fields that it does not know: a typing error must not be a silently ignored wish,
    and an attempt to set what is not the caller's to set must not look like success."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            writable = {name for name, field in self.fields.items() if not field.read_only}
            unknown = sorted(str(name) for name in data.keys() - writable)
            if unknown:
                known = ", ".join(sorted(writable))
                raise serializers.ValidationError(
                    {
                        name[:100]: [f"There is no such field here; known are: {known}."]
                        for name in unknown[:10]
                    }
                )
        return super().to_internal_value(data)
