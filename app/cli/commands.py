"""All commands in one program, and how their failures end it."""

from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated, cast

import typer

from app.cli import keys, perpspec
from app.cli.backfill import backfill
from app.cli.collect import collect
from app.cli.console import Failure, note, say
from app.cli.demo import demo
from app.cli.export import export
from app.cli.load import load
from app.cli.probe import probe
from app.cli.pull import pull
from app.cli.query import query
from app.cli.serve import serve
from app.cli.setup import setup
from app.cli.sources import sources
from app.cli.status import status

ABOUT = """Self-hosted crypto-derivatives data: funding, open interest and candles of every exchange on one basis.

\b
Start here:
  perpstore setup                      make the database ready, see what is missing
  perpstore serve                      the API on http://127.0.0.1:8000
  perpstore import funding rates.csv   bring what you have

Commands work beside a running `serve` on the same data folder and without one; DATABASE_URL names another PostgreSQL.
"""

app = typer.Typer(
    name="perpstore",
    help=ABOUT,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
)
app.command()(serve)
app.command()(collect)
app.command()(setup)
app.command()(demo)
app.command()(sources)
app.command()(pull)
app.command()(backfill)
app.command("import")(load)
app.command()(export)
app.command()(query)
app.command()(status)
app.command()(probe)
app.add_typer(keys.app, name="keys")
app.add_typer(perpspec.app, name="perpspec")


def _version(wanted: bool) -> None:
    if wanted:
        say(f"perpstore {version('perpstore')}")
        raise typer.Exit


@app.callback()
def everything(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and end.")
    ] = False,
) -> None:
    """Options of the program itself."""


def run(arguments: Sequence[str] | None) -> int:
    """Run one command line; returns its exit code: 1 for failures, 2 for usage."""
    try:
        return cast(int | None, app(arguments, prog_name="perpstore", standalone_mode=False)) or 0
    except Failure as failure:
        return _end(str(failure), failure.code)
    except typer.TyperException as error:
        return _usage(error)


def _usage(error: typer.TyperException) -> int:
    if type(error).__name__ == "NoArgsIsHelpError":
        note(error.message)
        return 2
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "perpstore"
    message = " ".join(error.format_message().split())
    return _end(f"{message}{'' if message.endswith(('.', '?')) else '.'} See `{path} --help`", error.exit_code)


def _end(message: str, code: int) -> int:
    note(f"perpstore: {message}")
    return code
