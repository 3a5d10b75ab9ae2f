"""All commands, by their names."""

import typer

from asynccache.cli import backends, calls, explain, invalidation, values
from asynccache.cli.exits import EXPLAINED

app = typer.Typer(
    help="Look into a cache, call cached functions, check a configuration.",
    epilog=EXPLAINED,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("call")(calls.call)
app.command("get")(values.get)
app.command("set")(values.set_)
app.command("delete")(values.delete)
app.command("invalidate-tags")(invalidation.invalidate_tags)
app.command("clear")(invalidation.clear)
app.command("explain")(explain.explain)
app.command("ping")(backends.ping)
app.add_typer(backends.config_commands, name="config")
app.add_typer(backends.db_commands, name="db")
