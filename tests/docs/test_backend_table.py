"""The docs say of each backend what its class declares, and their classes need no client to be looked at."""

import subprocess
import sys

from asynccache.model import BaseCacheBackend
from tests.docs.backend_table import BEGIN, END, PAGE, backend_classes, table, written_anew


def test_the_table_in_the_docs_is_current():
    page = PAGE.read_text()
    assert page.count(BEGIN) == page.count(END) == 1
    assert page == written_anew(page), "run: python tests/docs/backend_table.py"


def test_every_backend_is_in_it():
    classes = backend_classes()
    assert all(issubclass(found, BaseCacheBackend) for found in classes)
    assert len(classes) >= 12
    assert table().count("\n") == len(classes) + 2


def test_looking_at_a_backend_needs_none_of_its_clients():
    code = f"""
import sys
for client in ("aiomcache", "pymemcache", "pylibmc", "redis", "sqlalchemy", "asyncpg", "asyncmy", "pymysql", "psycopg",
               "django", "cachelib", "httpcore2", "google", "replit"):
    sys.modules[client] = None
sys.path.insert(0, {str(PAGE.parents[1])!r})
from tests.docs.backend_table import table
sys.stdout.write(table())
"""
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout.decode()
    assert printed == table()
