"""A small tea shop: a slow database with a cache in front of it."""
