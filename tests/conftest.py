"""Settings of all tests."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# No test asserts a time: on a busy machine an example may take a hundred times as long.
settings.register_profile("sinew", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("sinew")
