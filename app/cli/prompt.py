"""The SQL prompt on a terminal."""

import asyncio
import readline
from collections.abc import Callable, Generator
from contextlib import AsyncExitStack, contextmanager, suppress
from importlib import import_module
from pathlib import Path

from app.cli import backslash, rows
from app.cli.console import Failure, note
from app.cli.query import answer
from app.cli.session import server, session
from app.cli.statements import Statement, cut

PROMPT, GOING_ON = "perpstore> ", "        -> "
HISTORY = "~/.perpstore_history"
HISTORY_LINES = 10_000


def prompt(show: rows.Show) -> None:
    """Ask, answer, and ask again; the event loop runs only while a statement does, so that Ctrl-C is about that."""
    with server() as found, asyncio.Runner() as runner, _history():
        import_module("app.services.reference")
        stack = AsyncExitStack()
        opened = runner.run(stack.enter_async_context(session(found)))
        try:
            note(f"{found.named}, only to read. {backslash.HELP} for help, {backslash.QUIT} to end")
            _converse(lambda statement: runner.run(answer(opened.db, statement, show)))
        finally:
            runner.run(stack.aclose())


def _converse(run: Callable[[Statement], None]) -> None:
    text = ""
    while True:
        try:
            text += input(GOING_ON if text else PROMPT) + "\n"
        except KeyboardInterrupt:
            note("")
            text = ""
            continue
        except EOFError:
            return note("")
        ended, begun = cut(text)
        text = begun.text if begun else ""
        if any(statement.text.strip() == backslash.QUIT for statement in ended):
            return None
        _answered(run, ended)


def _answered(run: Callable[[Statement], None], statements: list[Statement]) -> None:
    """One after the other, until one fails."""
    try:
        for statement in statements:
            run(statement)
    except Failure as failure:
        note(f"error: {failure}")
    except KeyboardInterrupt:
        note("\ncancelled")
    except OSError as error:
        note(f"error: the database does not answer: {error}")


@contextmanager
def _history() -> Generator[None]:
    """Lines typed here before, of this user alone; without a home there is none."""
    with suppress(OSError, RuntimeError):
        readline.read_history_file(Path(HISTORY).expanduser())
    readline.set_history_length(HISTORY_LINES)
    try:
        yield
    finally:
        with suppress(OSError, RuntimeError):
            readline.write_history_file(Path(HISTORY).expanduser())
