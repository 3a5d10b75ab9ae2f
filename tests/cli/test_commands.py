"""The commands, what they print, and what scripts are told by their exit codes."""

import json
import os
import pty
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from asynccache import CacheService
from asynccache.cli.commands import app

SHOP = "tests.cli.shop"


@pytest.fixture
def run():
    def run(*words, code=0, given=None):
        result = CliRunner().invoke(app, [str(word) for word in words], input=given, env={"COLUMNS": "200"})
        assert result.exit_code == code, result.output
        return result

    return run


@pytest.fixture
def url(redis_server, unique_prefix):
    return f"{redis_server.url}?key_prefix={unique_prefix}"


DEAD = "redis://127.0.0.1:1"


@pytest.mark.parametrize(
    ("value", "shown"), [("12", "12"), ("hello", "hello"), ('"12"', "12"), ("[1, 2]", "[1, 2]"), ("null", "None")]
)
def test_what_is_set_can_be_got_and_deleted(run, url, value, shown):
    assert "stored" in run("set", "key", value, "--url", url).stderr
    assert run("get", "key", "-u", url).stdout == shown + "\n"
    assert json.loads(run("get", "key", "-u", url, "--json").stdout) == (
        value if value == "hello" else json.loads(value)
    )
    assert run("delete", "key", "-u", url).stdout == "1\n"
    missing = run("get", "key", "-u", url, code=1)
    assert (missing.stdout, missing.stderr) == ("", "key: nothing is stored\n")
    run("delete", "key", "-u", url, code=1)


def test_no_value_is_taken_for_a_miss_because_it_cannot_be_printed(run, url):
    with CacheService(default=url) as service:
        service.set_many({"half": "a\ud800", "great": 10**5000})
    assert run("get", "half", "-u", url).stdout == "a\\ud800\n"
    assert "surrogates not allowed" in run("get", "half", "-u", url, "--json", code=2).stderr
    command = [sys.executable, "-m", "asynccache", "get", "great", "--json", "--url", url]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert shown.stdout == f"1{5000 * '0'}\n"


def test_a_service_and_the_command_line_see_the_same_entries(run, url):
    with CacheService(default=url) as service:
        service.set("user", {"name": "Ann", "tags": {"tea"}})
        assert json.loads(run("get", "user", "-u", url, "--json").stdout) == {"name": "Ann", "tags": ["tea"]}
        run("set", "count", "41", "-u", url, "--ttl", "forever")
        assert service.incr("count") == 42
        run("set", "gone", "1", "-u", url, "--ttl", "0")
        assert not service.has_key("gone")
        run("set", "two", "2", "-u", url, "--version", "2")
        assert (service.get("two"), service.get("two", version="2")) == (None, 2)


def test_many_keys_are_deleted_from_stdin(run, url):
    with CacheService(default=url) as service:
        service.set_many({f"k{number}": number for number in range(1200)})
    given = "".join(f"k{number}\n" for number in range(1500))
    assert run("delete", "-", "-u", url, given=given).stdout == "1200\n"


def test_tags_are_invalidated(run, url):
    with CacheService(default=url) as service:
        service.set("tea", 1, tags=["drinks", "hot"])
        service.set("ice", 2, tags=["cold"])
        service.set("rice", 3)
        assert "invalidated: drinks, none" in run("invalidate-tags", "drinks", "none", "-u", url).stderr
        assert service.get_many(["tea", "ice", "rice"]) == {"ice": 2, "rice": 3}
    run("invalidate-tags", "drinks", "--url", DEAD, code=3)
    assert "is no tag" in run("invalidate-tags", "", "-u", "local", code=2).stderr


def test_clear_removes_what_is_of_this_prefix_and_version_and_no_more(run, url):
    with CacheService(default=url, other=f"{url}other") as service:
        for version in (None, 2):
            service.set("key", 1, version=version)
        service.set("key", 1, backend="other")
        run("clear", "--version", "2", "--yes", "-u", url)
        assert (service.has_key("key"), service.has_key("key", version=2)) == (True, False)
        assert "all entries are removed" in run("clear", "-y", "-u", url).stderr
        assert (service.has_key("key"), service.has_key("key", backend="other")) == (False, True)
    run("clear", "-y", "--url", DEAD, code=3)


def test_clear_without_a_terminal_asks_nobody_and_removes_nothing(run, url):
    with CacheService(default=url) as service:
        service.set("key", 1)
        assert "give --yes" in run("clear", "-u", url, given="y\n", code=2).stderr
        assert service.has_key("key")


@pytest.mark.parametrize(("answer", "code", "is_left"), [("n", 1, True), ("y", 0, False)])
def test_clear_asks_on_a_terminal(url, answer, code, is_left):
    with CacheService(default=url) as service:
        service.set("key", 1)
        outside, inside = pty.openpty()
        os.write(outside, f"{answer}\n".encode())
        done = subprocess.run(
            [sys.executable, "-m", "asynccache", "clear", "-u", url], stdin=inside, capture_output=True, check=False
        )
        os.close(outside)
        os.close(inside)
        assert (done.returncode, b"Remove all entries" in done.stderr) == (code, True), done.stderr
        assert service.has_key("key") is is_left


def test_config_check_shows_what_would_be_used_and_hides_passwords(run, redis_server, monkeypatch):
    shown = run("config", "check", "--config", SHOP).stdout
    assert "LocalMemCacheBackend" in shown
    assert "pages" in shown
    monkeypatch.setenv("ASYNCCACHE_URL", f"redis://user:hidden@127.0.0.1:1|{redis_server.url}")
    failed = run("config", "check", "--json", code=3)
    assert "hidden" not in failed.output
    found = json.loads(failed.stdout)
    assert [one["kind"] for one in found] == ["FallbackCacheBackend", "RedisCacheBackend", "RedisCacheBackend"]
    assert [one["error"] is None for one in found] == [True, False, True]


def test_ping_asks_all_backends_or_one(run, url):
    assert "ms" in run("ping", "--url", url).stdout
    assert "LocalMem" in run("ping", "--config", SHOP, "--backend", "default").stdout
    assert "pages" in run("ping", "--config", SHOP, "--backend", "pages").stdout
    run("ping", "--url", DEAD, code=3)
    assert "there are ['default', 'pages']" in run("ping", "-c", SHOP, "-b", "other", code=2).stderr


@pytest.mark.parametrize("command", [["get", "key"], ["set", "key", "1"], ["delete", "key"], ["clear", "-y"]])
def test_nothing_is_kept_in_local_memory_and_the_commands_say_so(run, command):
    code = 1 if command[0] in {"get", "delete"} else 0
    assert "in this process only" in run(*command, "--url", "local", code=code).stderr


def test_a_store_that_is_away_is_no_miss(run):
    for command in (["get", "key"], ["set", "key", "1"], ["delete", "key"]):
        assert "error:" in run(*command, "--url", DEAD, code=3).stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["get", "k", "--url", "nonsense"], "is no backend"),
        (["get", "k", "--url", "local", "--config", SHOP], "not both"),
        (["get", "k", "--config", "tests.cli.nowhere"], "cannot be imported"),
        (["get", "k", "-c", SHOP, "-b", "other"], "no backend is called 'other'"),
        (["set", "k", "v", "--ttl", "soon", "-u", "local"], "--ttl 'soon': give seconds, or 'forever'"),
        (["call", "nonsense"], "write module:function"),
        (["call", f"{SHOP}:nothing"], "cannot be found"),
        (["call", f"{SHOP}:plain"], "is no function with @cached"),
        (["call", f"{SHOP}:given", "number=x"], "number='x' is no int"),
        (["call", f"{SHOP}:given", "nunber=3"], "no parameter 'nunber'; it has ['number', "),
        (["call", "tests.cli.broken:function"], "ZeroDivisionError"),
        (["get", "k", "--config", "tests.cli.broken"], "'tests.cli.broken' cannot be imported: ZeroDivisionError"),
        (["call", f"{SHOP}:who_made", "1", "2"], "too many positional"),
        (["call", f"{SHOP}:elsewhere"], "elsewhere"),
    ],
)
def test_what_is_wrong_is_one_line_and_code_2(run, words, message, monkeypatch):
    for name in ("ASYNCCACHE_URL", "REDIS_URL", "REPLIT_DB_URL"):
        monkeypatch.delenv(name, raising=False)
    said = run(*words, code=2).stderr
    assert message in said
    assert "Traceback" not in said


def test_tables_are_made_once_and_shown_beforehand(run, tmp_path):
    url = f"sqlite:///{tmp_path}/cache.db"
    assert "CREATE TABLE" in run("db", "create", "--dry-run", "--url", url).stdout
    assert not (tmp_path / "cache.db").exists()
    for _ in range(2):
        assert "the table is there" in run("db", "create", "--url", url).stderr
    assert (tmp_path / "cache.db").exists()
    assert "no backend" in run("db", "create", "--url", "local", code=1).stderr


@pytest.mark.parametrize(
    ("words", "result"),
    [
        (["given"], [0, False, None, "0", ""]),
        (["given", "12", "true", "2026-11-21"], [12, True, "2026-11-21", "0", ""]),
        (["given", "number=12", "price=1.50", "name=12"], [12, False, None, "1.50", "12"]),
        (["listed", "[1, 2]", "size=large", "path=/tmp/x"], [[1, 2], "large", "/tmp/x"]),
        (["loose", "12", "a=1", "b=text", 'c={"d": null}'], [12, {"a": 1, "b": "text", "c": {"d": None}}]),
        (["loose", "1=2"], ["1=2", {}]),
    ],
)
def test_arguments_are_read_by_annotation_then_as_json_then_as_text(run, url, words, result):
    called = run("call", f"{SHOP}:{words[0]}", *words[1:], "--json", "--url", url)
    assert json.loads(called.stdout) == result


@pytest.mark.parametrize("function", ["who_made", "who_made_it_async"])
def test_a_call_is_stored_found_and_renewed(run, url, function):
    words = ("call", f"{SHOP}:{function}", "page=7", "--json", "--url", url)
    first = run(*words)
    assert "called, in" in first.stderr
    second = run(*words)
    assert (second.stdout, second.stderr) == (first.stdout, "hit\n")
    assert "called, in" in run(*words, "--refresh").stderr
    key = run(*words[:3], "--key").stdout.strip()
    assert key == f"tests.cli.shop.{function}(page=7)"
    assert run("get", key, "--url", url, "--json").stdout == first.stdout


def test_a_cache_in_this_process_only_is_warned_of(run):
    assert "in this process only" in run("call", f"{SHOP}:who_made", "1", "--url", "local").stderr


@pytest.mark.parametrize("function", ["fails", "fails_async"])
def test_a_function_that_fails_is_code_4_with_its_own_part_of_the_traceback(run, url, function):
    said = run("call", f"{SHOP}:{function}", "--url", url, code=4).stderr
    assert "there is none" in said
    assert "tests/cli/shop.py" in said
    assert "loader.py" not in said


@pytest.mark.parametrize("words", [["who_made", "1"], ["who_made_it_async", "1"], ["who_made", "1", "--refresh"]])
def test_what_cannot_be_stored_is_printed_with_code_3(run, words):
    called = run("call", f"{SHOP}:{words[0]}", *words[1:], "--json", "--url", DEAD, code=3)
    assert json.loads(called.stdout)["page"] == 1
    assert "not stored: 127.0.0.1:1" in called.stderr


def test_help_has_examples_and_exit_codes(run):
    assert "Exit codes" in run("--help").stdout
    for command in (
        "get",
        "set",
        "delete",
        "call",
        "explain",
        "ping",
        "config check",
        "db create",
        "clear",
        "invalidate-tags",
    ):
        assert "Example" in run(*command.split(), "--help").stdout


@pytest.mark.parametrize("program", [["-m", "asynccache"], ["-c", "from asynccache.cli import main; main()"]])
def test_it_is_a_program(program):
    done = subprocess.run(
        [sys.executable, *program, "get", "k", "-u", "local"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("\nk: nothing is stored\n")


def test_without_the_extra_it_says_what_to_install():
    code = "import sys; sys.modules['typer'] = None; from asynccache.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install 'asynccache[cli]'" in done.stderr
