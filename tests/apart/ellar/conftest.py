"""Ellar 0.9.5 uses much that Starlette, anyio and pydantic have deprecated since."""


def pytest_configure(config):
    """Let deprecated ways pass, which are Ellar's; what we deprecate ourselves is an error in all other tests."""
    config.addinivalue_line("filterwarnings", "ignore::DeprecationWarning")
