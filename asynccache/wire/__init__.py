"""How to speak to a server: one pipelined connection for all callers of a loop, whatever the protocol."""
