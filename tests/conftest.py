"""Settings shared by all tests."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# Derandomized: a change that breaks nothing must not turn red, and a failure must come back on the next run.
settings.register_profile(
    "repeatable", max_examples=30, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("repeatable")
