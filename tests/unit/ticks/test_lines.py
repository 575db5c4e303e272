"""The connections of a currency: what was asked for anew is not remembered for ever."""

import asyncio
from datetime import UTC, datetime
from typing import Any, cast

from app.ingest.line import Clock
from app.ingest.sources import load
from app.ingest.spec import Channel, Said, Socket
from app.ingest.ticks.family import Family
from app.ingest.ticks.lines import NOT_AGAIN, Lines

T = datetime(2026, 3, 10, 12, tzinfo=UTC)


async def test_what_was_asked_for_anew_long_ago_is_forgotten() -> None:
    books = Channel("book", "instrument", lambda one: one and f"book.{one.symbol}")
    socket = Socket("btc", "ws://x", "/x", (books,), list, lambda _: Said.DATA, lambda *_: (), "https://x")
    lines = Lines("x:BTC", load(["deribit"])["deribit"], Clock(lambda: T), cast("Any", None), socket)
    lines._renewed |= {("book", "EXPIRED"): T - NOT_AGAIN, ("book", "JUST NOW"): T - NOT_AGAIN / 2}
    async with asyncio.TaskGroup() as group:
        lines.share_out(Family(), group)
    assert lines._renewed.keys() == {("book", "JUST NOW")}
