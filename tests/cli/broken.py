"""A module that fails when it is imported."""

CACHES = {"default": 1 / 0}
