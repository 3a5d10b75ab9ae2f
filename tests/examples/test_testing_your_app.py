"""examples/testing_your_app.py is a test file itself: its tests are run here."""

from examples.testing_your_app import (
    test_the_report_is_kept_for_a_minute,
    test_without_a_cache_every_report_is_new,
)

__all__ = ["test_the_report_is_kept_for_a_minute", "test_without_a_cache_every_report_is_new"]
