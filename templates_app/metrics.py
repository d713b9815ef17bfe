"""Prometheus metrics of the catalogue."""

from __future__ import annotations

from prometheus_client import Counter

VALIDATIONS = Counter("streamspace_template_validations", "Template documents checked.", ["result"])
"""``result`` is ``valid`` or ``invalid``."""
