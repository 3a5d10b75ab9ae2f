"""What happens to a Redis and to the processes on it."""

import os
import random
import signal
import time
from collections import Counter

import redis

STOPPED = 0.7


class Accidents:
    """Accidents one after the other, `counts` of them by name."""

    def __init__(self, server, prefix, processes):
        self._server = server
        self._prefix = prefix
        self._processes = processes
        self._client = redis.Redis(port=server.port, socket_timeout=5)
        self.counts = Counter()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._client.close()

    def go_on(self, seconds):
        until = time.monotonic() + seconds
        weights = {
            self.lose_notebook: 2,
            self.lose_table: 3,
            self.lose_rights: 4,
            self.lose_log: 2,
            self.trim_log: 3,
            self.forget_scripts: 2,
            self.cut_connections: 2,
            self.stop_process: 1,
            self.stop_server: 1,
        }
        while time.monotonic() < until:
            time.sleep(random.random() * 0.25)
            accident = random.choices(list(weights), list(weights.values()))[0]
            accident()
            self.counts[accident.__name__] += 1

    def lose_notebook(self):
        self._client.delete(self._own("n"))

    def lose_table(self):
        self._client.delete(self._own("t"))

    def lose_rights(self):
        if held := list(self._client.scan_iter(self._own("l:*"))):
            self._client.delete(*held)

    def lose_log(self):
        self._client.delete(self._own("g"))

    def trim_log(self):
        self._client.xtrim(self._own("g"), maxlen=1, approximate=False)

    def forget_scripts(self):
        self._client.script_flush()

    def cut_connections(self):
        others = [one for one in self._client.client_list() if one["cmd"] != "client|list"]
        for one in random.sample(others, min(3, len(others))):
            self._client.client_kill_filter(_id=one["id"])

    def stop_process(self):
        process = random.choice(self._processes)
        os.kill(process.pid, signal.SIGSTOP)
        time.sleep(random.random() * STOPPED)
        os.kill(process.pid, signal.SIGCONT)

    def stop_server(self):
        self._server.freeze()
        time.sleep(random.random() * STOPPED)
        self._server.thaw()

    def _own(self, name):
        return f"~{self._prefix}:1:{name}"
