"""The tests mirror the package; `tests.servers` starts what they talk to."""
