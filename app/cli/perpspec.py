"""`perpstore perpspec`: the named slices of minutes."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.console import Failure, emit, note, say, table
from app.cli.options import Json, words

if TYPE_CHECKING:
    from app.cli.session import Session
    from app.services.perpspecs import Perpspec

app = typer.Typer(
    help="List and register perpspecs: named slices of minutes.", rich_markup_mode=None, no_args_is_help=True
)
HEADS = ("NAME", "EXCHANGE", "KIND", "FIELDS", "INTERVAL")


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="An exchange, - and what it is: bin-vwap.")],
    fields: Annotated[list[str], typer.Argument(help="Its fields, with commas. ts and symbol are there anyway.")],
    json: Json = False,
) -> None:
    """Register a perpspec.

    A field nobody has yet becomes a column. A running server has it at once.

    \b
    Examples:
      perpstore perpspec add bin-vwap ts,symbol,vwap
      perpstore perpspec add okx-mark mark_price
    """
    from app.cli import facts
    from app.cli.session import on_database
    from app.services import perpspecs

    told = perpspecs.Perpspec(name, tuple(words(fields)))

    async def work(session: "Session") -> "tuple[bool, Perpspec, dict[str, Any]]":
        made = await perpspecs.add(session.db, told)
        there = next(one for one in await perpspecs.listed(session.db) if one.name == name)
        return made, there, await facts.database(session)

    try:
        made, there, database = on_database(work)
    except perpspecs.BadPerpspec as error:
        raise Failure(f"{error}. See `perpstore perpspec add --help`", 2) from error
    except (perpspecs.PerpspecExists, perpspecs.MinutesBusy) as error:
        raise Failure(str(error)) from error
    if json:
        return emit({"made": made, "perpspec": asdict(there), "database": database})
    note(f"registered{'' if made else ' already'} in PostgreSQL, {facts.where(database)}")
    say(table(HEADS, [_row(there)]))


@app.command("list")
def list_(json: Json = False) -> None:
    """List what is registered.

    \b
    Examples:
      perpstore perpspec list
      perpstore perpspec list --json
    """
    from app.cli.session import on_database
    from app.services import perpspecs

    async def work(session: "Session") -> "list[Perpspec]":
        return await perpspecs.listed(session.db)

    found = on_database(work)
    emit({"perpspecs": [asdict(one) for one in found]}) if json else say(table(HEADS, map(_row, found)))


def _row(one: "Perpspec") -> tuple[object, ...]:
    return one.name, one.exchange, one.kind, ",".join(one.fields), one.interval
