"""`perpstore query`: a SQL prompt that only reads."""

import os
import sys
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli import backslash, rows
from app.cli.backslash import Asked
from app.cli.console import Failure, say
from app.cli.statements import Statement, cut

if TYPE_CHECKING:
    import asyncpg
    from asyncpg.pool import PoolConnectionProxy

    from app.cli.session import Session
    from app.db import Database

ONLY_READS = "a query only reads (SELECT, WITH, VALUES, TABLE, SHOW, EXPLAIN)"
ROWS_A_FETCH = 1_000
NO_LIMIT = 86_400.0


def query(
    command: Annotated[
        list[str] | None, typer.Option("-c", "--command", metavar="SQL", help="Run this and end; repeat for more.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="An array of objects for each statement.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="CSV with a head for each statement.")] = False,
) -> None:
    """Ask the database in SQL; nothing can be changed.

    Without -c a prompt on a terminal, else the script on standard input. The table shows at most 1,000 rows; --csv and
    --json give all. The exit code is 1 when a statement failed; those after it are not run.

    \b
    Examples:
      perpstore query
      perpstore query -c "select slug, name from exchange" --json
      perpstore query --csv < report.sql > report.csv
    """
    if json and csv:
        raise Failure("--json and --csv exclude each other. Give one", 2)
    show = rows.as_json if json else rows.as_csv if csv else rows.as_table
    if not command and sys.stdin.isatty():
        from app.cli.prompt import prompt

        return prompt(show)
    _run(_statements(command or [sys.stdin.read()]), show)


def _statements(texts: Sequence[str]) -> Iterator[Statement]:
    for text in texts:
        ended, begun = cut(text)
        yield from ended if begun is None else [*ended, begun]


def _run(statements: Iterator[Statement], show: rows.Show) -> None:
    from app.cli.session import on_database

    async def work(session: "Session") -> None:
        try:
            for statement in statements:
                if statement.text.strip() == backslash.QUIT:
                    return
                await answer(session.db, statement, show)
        except BrokenPipeError as error:  # `| head` has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(1) from error

    on_database(work)


async def answer(db: "Database", statement: Statement, show: rows.Show) -> None:
    """Run one statement, or what stands after a backslash, and show its rows. Raises Failure: one line, with the place.

    Whatever it is, it runs in a transaction that may only read.
    """
    import asyncpg

    if statement.text.strip() == backslash.HELP:
        return say(backslash.ABOUT)
    asked = backslash.meant(statement) if statement.text.startswith("\\") else Asked(statement.text)
    try:
        async with db.reads.acquire() as connection, connection.transaction(readonly=True):
            await _show(connection, asked, show)
    except asyncpg.ReadOnlySQLTransactionError as error:
        raise Failure(f"{error}: {ONLY_READS}") from error
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OverflowError) as error:
        raise Failure(_told(error, statement)) from error


async def _show(connection: "PoolConnectionProxy[asyncpg.Record]", asked: Asked, show: rows.Show) -> None:
    """Only what answers with rows: COPY and the like write files even where a transaction is read-only."""
    prepared = await connection.prepare(asked.sql, timeout=NO_LIMIT)
    columns = prepared.get_attributes()
    if not columns:
        raise Failure(f"{asked.sql.split(None, 1)[0].upper()} is not run: {ONLY_READS}")

    async def parts() -> AsyncGenerator[list["asyncpg.Record"]]:
        cursor = await prepared.cursor(*asked.arguments, timeout=NO_LIMIT)
        while found := await cursor.fetch(ROWS_A_FETCH, timeout=NO_LIMIT):
            yield found

    async with aclosing(parts()) as read:
        await show(rows.Rows([c.name for c in columns], [c.type.name for c in columns], read))


def _told(error: Exception, statement: Statement) -> str:
    """What the database said, where in the text, and its hint, in one line."""
    said = [getattr(error, name, None) for name in ("detail", "hint")]
    line = str(getattr(error, "message", None) or error).strip().splitlines()[0].rstrip(".")
    position = getattr(error, "position", None)
    if position is not None and not statement.text.startswith("\\"):
        line += " at line {}, column {}".format(*statement.place(int(position)))
    return ". ".join([line, *(" ".join(str(word).split()).rstrip(".") for word in said if word)])
