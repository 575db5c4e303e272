"""`perpstore keys`: who may write and who may run things. A key is shown once; only its hash is kept."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.console import Failure, emit, note, say, table
from app.cli.options import Json, words

if TYPE_CHECKING:
    from app.cli.session import Session
    from app.services.keys import Key

app = typer.Typer(
    help="Make, list and revoke keys for writing and for /admin.", rich_markup_mode=None, no_args_is_help=True
)
HEADS = ("ID", "NAME", "SCOPES", "CREATED", "LAST USED", "REVOKED")


@app.command()
def create(
    scope: Annotated[
        list[str] | None, typer.Option(metavar="SCOPE", help="read, write, admin; repeat, or commas [default: read].")
    ] = None,
    name: Annotated[str, typer.Option(metavar="NAME", help="Whose key it is; to find it again.")] = "key",
    json: Json = False,
) -> None:
    """Make a key and print it.

    Alone, on standard output. It cannot be had again.

    \b
    Examples:
      perpstore keys create --scope write,admin --name laptop
      KEY=$(perpstore keys create --scope write)
      curl -H "Authorization: Bearer $KEY" ...
    """
    from app.cli.session import on_database
    from app.services import keys

    scopes = words(scope) or ["read"]
    if strange := [word for word in scopes if word.lower() not in keys.SCOPES]:
        raise Failure(f"--scope {','.join(strange)}: no such scope. Choose from {', '.join(keys.SCOPES)}", 2)

    async def work(session: "Session") -> str:
        return await keys.create(session.db, name, scopes)

    key = on_database(work)
    emit({"key": key, "name": name, "scopes": scopes}) if json else say(key)


@app.command("list")
def list_(json: Json = False) -> None:
    """List the keys, without their secrets.

    \b
    Examples:
      perpstore keys list
      perpstore keys list --json
    """
    from app.cli.session import on_database

    async def work(session: "Session") -> "list[Key]":
        from app.services import keys

        return await keys.listed(session.db)

    found = on_database(work)
    emit({"keys": [asdict(key) for key in found]}) if json else say(table(HEADS, map(_row, found)))


@app.command()
def revoke(which: Annotated[str, typer.Argument(help="Id or name, see `keys list`.")], json: Json = False) -> None:
    """Revoke a key.

    The one of this id, or all of this name. A running server refuses them at once.

    \b
    Examples:
      perpstore keys revoke laptop
      perpstore keys revoke 3
    """
    from app.cli.session import on_database

    async def work(session: "Session") -> "list[Key]":
        from app.services import keys

        return await keys.revoke(session.db, which)

    gone = on_database(work)
    if not gone:
        raise Failure(f"No key {which} that is not revoked yet. See `perpstore keys list`")
    emit({"revoked": [asdict(key) for key in gone]}) if json else note(f"{len(gone)} revoked")


def _row(key: "Key") -> tuple[object, ...]:
    return key.id, key.name, ",".join(key.scopes), key.created_at, key.last_used_at, key.revoked_at
