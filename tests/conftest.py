"""Settings shared by all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# Derandomized: a change that breaks nothing must not turn red, and a failure must come back on the next run.
settings.register_profile(
    "repeatable", max_examples=30, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("repeatable")


@pytest.fixture(autouse=True, scope="session")
def few_rows_in_float32() -> Iterator[None]:
    """Rows of float32 are solved in float32 however few they are: those of most tests would be too few for that."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("skgradlinear._objective.SMALL_ENTRIES", 0)
        yield
