"""Replies that nobody asked for, in the words of each database."""

import struct


def postgresql_reply(*columns):
    """Give a whole reply to a statement, of one row."""
    described = b"".join(b"a\0" + struct.pack(">ihihih", 0, 0, kind, -1, -1, 0) for kind, _ in columns)
    row = b"".join(struct.pack(">i", len(text)) + text if text else struct.pack(">i", -1) for _, text in columns)
    count = struct.pack(">h", len(columns))
    parts = {b"2": b"", b"T": count + described, b"D": count + row, b"C": b"UPDATE 1\0", b"Z": b"I"}
    return b"".join(kind + struct.pack(">i", len(body) + 4) + body for kind, body in parts.items())


def mysql_reply(*columns):
    """Give a whole reply to a statement, of one row."""
    described = [b"\3def\0\0\0\1a\0\x0c" + struct.pack("<HIBHBH", 63, 99, kind, 0, 0, 0) for kind, _ in columns]
    row = b"".join(bytes([len(text)]) + text if text else b"\xfb" for _, text in columns)
    bodies = [bytes([len(columns)]), *described, row, b"\xfe\0\0\2\0\0\0"]
    return b"".join(struct.pack("<I", len(body) | seq << 24) + body for seq, body in enumerate(bodies, 1))


POSTGRESQL_STRAYS = {
    "another's number": postgresql_reply((20, b"7"), (20, b"42")),
    "another's entry": postgresql_reply((17, b"\\x41"), (17, b"\\x42"), (20, b"")),
    "done": b"C\x00\x00\x00\x0dUPDATE 1\x00",
    "done and ready": b"C\x00\x00\x00\x0dDELETE 1\x00Z\x00\x00\x00\x05I",
    "ready": b"Z\x00\x00\x00\x05I",
    "another protocol": b"+OK\r\n",
}
MYSQL_STRAYS = {
    "another's number": mysql_reply((8, b"7"), (8, b"42")),
    "another's entry": mysql_reply((253, b"A"), (252, b"B"), (8, b"")),
    "nothing done": b"\x07\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00",
    "one done": b"\x07\x00\x00\x01\x00\x01\x2a\x02\x00\x00\x00",
    "an error": b"\x17\x00\x00\x01\xff\x48\x04#HY000stray message",
    "another protocol": b"+OK\r\n",
}
STRAYS = {"postgresql": POSTGRESQL_STRAYS, "mariadb": MYSQL_STRAYS}
