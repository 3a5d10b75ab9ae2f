"""SQLCacheBackend by the contract, on SQLite, PostgreSQL and MariaDB."""

from functools import partial

import pytest

from asynccache.backends.sql_cache import SQLCacheBackend
from asynccache.testing import BackendContract

PATIENT = 5.0
"""A deadline for a loaded machine, where the deadline is not what is tested."""


class TestOnSQLite(BackendContract):
    @pytest.fixture
    def backend_factory(self, tmp_path):
        return partial(SQLCacheBackend, f"sqlite:///{tmp_path}/cache.db", deadline=PATIENT)


class TestOnPostgreSQL(BackendContract):
    @pytest.fixture
    def backend_factory(self, postgresql_server):
        return partial(SQLCacheBackend, postgresql_server.url, deadline=PATIENT)


class TestOnMariaDB(BackendContract):
    @pytest.fixture
    def backend_factory(self, mariadb_server):
        return partial(SQLCacheBackend, mariadb_server.url, deadline=PATIENT)
