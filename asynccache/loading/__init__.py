"""Loading: one load per key, and what becomes of those who wait for it."""
