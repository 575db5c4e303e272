"""Candles of perpetuals and dated futures.

Minutes without a trade come as fillers: volume and cost 0, all four prices the last close. They are candles like any
other, with a volume of 0. Candles of options are not asked for: of a thousand options most do not trade in a day.
"""

from datetime import timedelta
from typing import Literal

from pydantic import model_validator

from app.ingest import spec
from app.ingest.sources.deribit.rest import DOCS, HOUR, MINUTE, Answer, ask
from app.ingest.spec import Feed, Json, Ms, Num, Request, Rows, Window, Wire
from app.records import Candle

BARS = 4000 + 1
"""Bars of a window, and one more: see `Feed.limit`. An answer has 5,001 and leaves older ones out without a word."""
COLUMNS = ("ticks", "open", "high", "low", "close", "volume", "cost")


class Chart(Wire):
    """`{"status":"ok","ticks":[1766483460000],"open":[87451.0],"high":[...],...,"volume":[2.94],"cost":[257490.0]}`

    One array a column; all are empty where the status is `no_data`.
    """

    status: Literal["ok", "no_data"]
    ticks: list[Json]
    open: list[Json]
    high: list[Json]
    low: list[Json]
    close: list[Json]
    volume: list[Json]
    cost: list[Json]

    @model_validator(mode="after")
    def _has_as_many_of_each(self) -> "Chart":
        if len({len(getattr(self, name)) for name in COLUMNS}) != 1:
            raise ValueError("columns of different length")
        return self

    @property
    def bars(self) -> list[dict[str, Json]]:
        """The bars one by one, each by the names of its columns."""
        columns = [getattr(self, name) for name in COLUMNS]
        return [dict(zip(COLUMNS, values, strict=True)) for values in zip(*columns, strict=True)]


class Bar(Wire):
    ticks: Ms
    open: Num
    high: Num
    low: Num
    close: Num
    volume: Num
    cost: Num


Asked = Answer[Chart]


def _is_before(bar: dict[str, Json], window: Window) -> bool:
    opens = bar["ticks"]
    return isinstance(opens, int) and opens < window.start_ms


def candles(dataset: spec.Dataset, resolution: int, step: timedelta, every: timedelta) -> Feed:
    """Candles by open time. `volume` counts coins, `cost` is in the quote currency: USD of inverse contracts."""

    def request(window: Window) -> Request:
        times = {"start_timestamp": window.start_ms - 1, "end_timestamp": window.last_ms}
        return ask("get_tradingview_chart_data", instrument_name=window.symbol, resolution=resolution, **times)

    def candle(row: Bar, window: Window) -> Candle:
        prices, usd = (row.open, row.high, row.low, row.close), spec.in_usd(row.cost, window.one.quote)
        return Candle(window.symbol, row.ticks, step, *prices, row.volume, usd)

    each = spec.each(Bar, candle)

    def rows(answer: Asked, window: Window) -> Rows:
        """The bar before the window may come too, since a millisecond of it is asked for."""
        return each([bar for bar in answer.result.bars if not _is_before(bar, window)], window)

    return Feed(
        dataset,
        "instrument",
        request,
        Asked,
        rows,
        every,
        f"{DOCS}/public-get_tradingview_chart_data",
        step=step,
        limit=BARS,
        history=True,
        kinds=("perp", "future"),
    )


def feeds(every: timedelta) -> tuple[Feed, Feed]:
    """Minutes as often as wanted, and hours."""
    return candles("candles_1m", 1, MINUTE, every), candles("candles_1h", 60, HOUR, HOUR)
