"""Reading bodies."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import JSONParser

LARGEST_BODY = 1 << 20
"""Bytes. The largest sensible body of this API has a few thousand."""


class PayloadTooLarge(APIException):
    """The body is larger than the API reads."""

    status_code = 413
    default_detail = "The body is larger than one mebibyte."
    default_code = "payload_too_large"


class BoundedJSONParser(JSONParser):
    """JSON of a limited size and depth; DRF's own reads whatever it is sent."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        body = stream.read(LARGEST_BODY + 1)
        if len(body) > LARGEST_BODY:
            raise PayloadTooLarge
        try:
            return super().parse(io.BytesIO(body), media_type, dict(parser_context or {}))
        except RecursionError:
            raise ParseError("JSON parse error - nested too deeply") from None
