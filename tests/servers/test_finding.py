"""Servers are named by the environment, found on PATH, or fetched; what cannot be had says what to type."""

import subprocess

import pytest

from tests.servers import Missing, Running, find, named_by_environment
from tests.servers.finding import PACKAGES, fetched, forget


@pytest.fixture(autouse=True)
def _forget():
    forget()
    yield
    forget()


@pytest.mark.parametrize("name", PACKAGES)
def test_program_on_path_is_taken_as_it_is(name, tmp_path, monkeypatch):
    program = tmp_path / name
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert (find(name).path, find(name).env) == (str(program), {})


@pytest.mark.parametrize("name", PACKAGES)
def test_missing_program_says_what_to_type(name, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))  # no apt-get either
    monkeypatch.setattr("tests.servers.finding.SYSTEM", tmp_path)
    monkeypatch.setattr("tests.servers.fetching.cache_folder", lambda: tmp_path)
    for _ in range(2):
        with pytest.raises(Missing, match=f"Type: sudo apt-get install -y {PACKAGES[name][0]}$"):
            find(name)


def test_program_is_found_where_debian_puts_it_and_the_highest_version_of_it(tmp_path, monkeypatch):
    for version in ("9", "17", "15"):
        program = tmp_path / f"usr/lib/postgresql/{version}/bin/postgres"
        program.parent.mkdir(parents=True)
        program.touch()
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("tests.servers.finding.SYSTEM", tmp_path)
    assert find("postgres").path == str(tmp_path / "usr/lib/postgresql/17/bin/postgres")


@pytest.mark.parametrize(
    ("url", "running"),
    [
        ("redis://10.0.0.1:7000/3", Running("redis://10.0.0.1:7000/3", "10.0.0.1", 7000)),
        ("redis://:secret@localhost", Running("redis://:secret@localhost", "localhost", 6379)),
        ("", None),
    ],
)
def test_environment_names_a_running_server(url, running, monkeypatch):
    monkeypatch.setenv("ASYNCCACHE_TEST_REDIS", url)
    assert named_by_environment("redis") == running


@pytest.mark.parametrize("url", ["localhost:11211", "http://localhost:11211", "memcached://", "memcached:11211"])
def test_bad_environment_is_an_error_that_shows_the_form(url, monkeypatch):
    monkeypatch.setenv("ASYNCCACHE_TEST_MEMCACHED", url)
    with pytest.raises(ValueError, match=r"ASYNCCACHE_TEST_MEMCACHED .* memcached://127\.0\.0\.1:11211"):
        named_by_environment("memcached")


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", PACKAGES)
def test_fetched_program_runs(name):
    program = fetched(name)
    subprocess.run([program.path, "-v" if name == "nginx" else "--version"], env=program.env, check=True)
