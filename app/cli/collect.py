"""`perpstore collect`: the ticks of one currency or a few, by a process of its own."""

import asyncio
import os
import signal
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli import completing
from app.cli.console import Failure, emit, note, say
from app.cli.options import Json
from app.cli.sources import source as source_named

if TYPE_CHECKING:
    from app.cli.session import Session
    from app.ingest.engine import Engine
    from app.ingest.spec import Source


def collect(
    source: Annotated[
        str, typer.Option(metavar="SOURCE", help="Whose ticks.", autocompletion=completing.sources)
    ] = "deribit",
    currency: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CURRENCY", help="Such as BTC; may be given more than once [default: all of the settings]."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Collect ticks, until Ctrl-C or SIGTERM.

    Quotes and order books of perpetuals, futures and the most traded options, and all trades. `serve` does the same
    beside all else it does, unless PERPSTORE_STREAMS=off. One process collects a currency: others wait until it ends.

    \b
    Examples:
      perpstore collect --source deribit --currency BTC
      perpstore collect --currency BTC --currency ETH
    """
    from app.cli.session import on_database

    found = source_named(source)
    wanted = _currencies(found, currency or ())

    async def work(session: "Session") -> None:
        await _until_told(session, found, wanted, json=json)

    on_database(work)


def _currencies(source: "Source", given: Sequence[str]) -> list[str]:
    """Those given, or all there are. Raises Failure where one is none of those of the settings."""
    from app.ingest.ticks.lines import currencies
    from app.settings import top_instruments

    known = currencies(source)
    if not known:
        raise Failure(f"{source.id} tells no ticks. `perpstore collect` is for deribit", 2)
    wanted = list(dict.fromkeys(one.strip().upper() for one in given)) or known
    if strange := [one for one in wanted if one not in known]:
        setting = f"PERPSTORE_{source.id.upper()}_CURRENCIES"
        told = ", ".join(known)
        raise Failure(f"{source.id} is collected for {told}, not for {', '.join(strange)}. Name it in {setting}", 2)
    try:
        for one in wanted:
            top_instruments(one)
    except ValueError as error:
        raise Failure(str(error), 2) from error
    return wanted


async def _until_told(session: "Session", source: "Source", wanted: list[str], *, json: bool) -> None:
    """Collect until a signal says to end. What has come by then is written."""
    from app import logs
    from app.ingest.engine import Keeping, started
    from app.ingest.runner import key_of
    from app.ingest.ticks.running import collecting_ticks

    limits = session.settings
    logs.configure(limits.log_level, secrets=[key] if (key := key_of(source)) else [])
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    keeping = Keeping(limits.kept_days, limits.archive_dir)
    async with started(session.db, limits.history_days, limits.most_traded, keeping) as engine:
        for one in wanted:
            await check_listed(engine, source, one)
        async with collecting_ticks(engine, source, wanted):
            _begun(source, wanted, json=json)
            await ended.wait()


def _begun(source: "Source", currencies: list[str], *, json: bool) -> None:
    if json:
        emit({"source": source.id, "currencies": currencies, "pid": os.getpid()})
    else:
        say(f"perpstore collects the ticks of {', '.join(currencies)} from {source.id}")


async def check_listed(engine: "Engine", source: "Source", currency: str) -> None:
    """Raises Failure where the source lists nothing of a currency. One that does not answer is asked again later."""
    from app.ingest.ticks.family import Family, family_of
    from app.services import log

    for not_older in (None, timedelta(0)):
        if (await family_of(engine, source, currency, Family(), not_older)).contracts:
            return
    last = next(iter(await log.pulls(engine.db, source=source.id, dataset="instruments", limit=1)), None)
    if last is None or not last.error:
        raise Failure(f"{source.id} lists nothing of {currency}. See `perpstore pull {source.id} instruments`")
    note(f"perpstore: {source.id} does not say what it lists of {currency}: {last.error}. It is asked until it does")
