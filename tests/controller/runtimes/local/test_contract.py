"""The local runtime keeps the contract."""

from __future__ import annotations

import pytest

from tests.controller.runtimes.contract import RuntimeContract


@pytest.mark.integration
class TestLocalRuntime(RuntimeContract):
    """Real displays, real programs."""
