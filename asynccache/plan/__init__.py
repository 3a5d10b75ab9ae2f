"""How to wait: every operation is written once, as a coroutine that awaits only its `io` and other plans."""
