"""How all of memcached's backends are told where servers are, and what they refuse."""

NAMES = [
    ({}, ["localhost:11211"]),
    ({"host": "cache", "port": 1}, ["cache:1"]),
    ({"hosts": ["a", "b"]}, ["a:11211", "b:11211"]),
    ({"servers": "cache"}, ["cache:11211"]),
    ({"servers": "cache:1"}, ["cache:1"]),
    ({"servers": "memcached://a:1,b;c:3"}, ["a:1", "b:11211", "c:3"]),
    ({"servers": ["a:1", ("b", 2), "memcached://c:3"]}, ["a:1", "b:2", "c:3"]),
    ({"servers": "[::1]:1"}, ["[::1]:1"]),
    ({"servers": "fe80::1"}, ["[fe80::1]:11211"]),
    ({"servers": "/run/memcached.sock"}, ["/run/memcached.sock"]),
    ({"servers": "unix:/run/memcached.sock"}, ["/run/memcached.sock"]),
    ({"servers": ["unix:///a.sock", "b"]}, ["/a.sock", "b:11211"]),
    ({"servers": "a,b,a:11211"}, ["a:11211", "b:11211"]),
]
REFUSED = [
    ({"servers": "memcached://cache?pool_size=4"}, "options as arguments"),
    ({"servers": "memcached://cache/0"}, "host and port"),
    ({"servers": "redis://cache"}, "scheme"),
    ({"servers": "cache:99999"}, "port|Port"),
    ({"servers": ""}, "empty"),
    ({"servers": []}, "empty"),
    ({"servers": "a", "hosts": "a"}, "one of them"),
    ({"deadline": 0}, "deadline"),
    ({"on_error": "ignore"}, "on_error"),
]
