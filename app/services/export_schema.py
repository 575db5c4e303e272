"""What the files of an export hold: their columns with units and meaning, stated in every Parquet file as well."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from app.services.store import CANDLE, TIME
from app.services.together import GREEKS

STATED = "perpstore"
"""Key of the statement among the key-value metadata of a Parquet file."""

WORD = pa.dictionary(pa.int32(), pa.string())
"""What readers of partitioned folders take `exchange=X` for: the column of that name has to be the same."""
WHO = {"time": TIME, **dict.fromkeys(("exchange", "instrument", "asset", "source"), WORD)}


@dataclass(frozen=True, slots=True)
class Facts:
    """One kind of fact: its file is called `name`.

    `statement` of `sql/export.sql` gives the rows of an exchange, in the columns of `schema`; the one called
    `<statement>_months` in which months of which exchanges there are any. `columns`: unit and meaning of those that are
    something else here than elsewhere.
    """

    name: str
    statement: str
    schema: pa.Schema
    columns: Mapping[str, tuple[str | None, str]] = field(default_factory=dict[str, tuple[str | None, str]])


def _schema(*numbers: str, **typed: pa.DataType) -> pa.Schema:
    return pa.schema({**WHO, **typed, **dict.fromkeys(numbers, pa.float64()), "known_at": TIME})


FUNDING = pa.schema(
    {
        **WHO,
        "kind": WORD,
        "rate": pa.float64(),
        "interval_hours": pa.float64(),
        "interval_known": WORD,
        "for_time": TIME,
        "known_at": TIME,
    }
)
CANDLES = _schema(*CANDLE, interval=WORD)
TAKER_VOLUME = _schema("buy_volume_base", "sell_volume_base", interval=WORD)
EXTREMES = {"open": "first", "high": "highest", "low": "lowest"}
WHAT = {**dict.fromkeys(("exchange", "asset", "source", "metric", "unit"), WORD), "value": pa.float64()}
METRICS = pa.schema({"time": TIME, **WHAT, "known_at": TIME})

OPTION = _schema(
    *("bid", "ask", "mark", "mark_iv", "underlying", "index_price", *GREEKS, "open_interest", "volume"),
)
QUOTED = "as quoted: coins a coin, or USDC a coin"
OF_OPTIONS: Mapping[str, tuple[str | None, str]] = {
    "time": (None, "The instant it stood so; UTC."),
    "asset": (None, "Canonical id of the underlying coin."),
    "bid": (QUOTED, "Best bid; null: none."),
    "ask": (QUOTED, "Best ask; null: none."),
    "mark": (QUOTED, "Mark price."),
    "mark_iv": ("fraction", "Implied volatility at the mark; null: none."),
    "underlying": ("USD a coin", "Price of the forward it is valued by."),
    "index_price": ("USD a coin", "Price of the index."),
    "delta": ("coins a coin", "Not adjusted by the premium."),
    "gamma": ("delta a USD", "Change of delta."),
    "vega": ("USD a percentage point", "Of volatility."),
    "theta": ("USD a day", "Of time."),
    "rho": ("USD a percentage point", "Of interest."),
    "open_interest": ("coins", "Open interest."),
    "volume": ("coins", "Traded in 24 hours."),
}
OF_INDEXES: Mapping[str, tuple[str | None, str]] = {
    "time": (None, "The instant, or (a candle) the start; UTC."),
    "price": ("its currency, or a fraction", "Its value; of a candle the last."),
    **{name: ("as the price", f"Of a candle: the {which}; null: none.") for name, which in EXTREMES.items()},
}

DATASETS: Mapping[str, tuple[Facts, ...]] = {
    "funding": (Facts("settled", "funding", FUNDING), Facts("predicted", "predicted_funding", FUNDING)),
    "open-interest": (Facts("open-interest", "open_interest", _schema("oi_base", "oi_usd")),),
    "candles": (Facts("1m", "perp_1m", CANDLES), Facts("1h", "perp_1h", CANDLES)),
    "liquidations": (Facts("liquidations", "liquidation", _schema("price", "quantity", side=WORD)),),
    "long-short": (Facts("long-short", "long_short", _schema("long_short_ratio")),),
    "taker-volume": (Facts("1m", "taker_volume_1m", TAKER_VOLUME), Facts("1h", "taker_volume_1h", TAKER_VOLUME)),
    "options": (Facts("options", "option", OPTION, OF_OPTIONS),),
    "index": (Facts("index", "index_price", _schema("price", "open", "high", "low"), OF_INDEXES),),
    "fundamentals": (Facts("fundamentals", "metric_value", METRICS),),
}
"""What can be exported. An import of the same name reads every column."""

UNITS: Mapping[str, str] = {
    "rate": "fraction of one interval",
    "interval_hours": "hours",
    **dict.fromkeys(("open", "high", "low", "close", "price"), "USD a coin"),
    **dict.fromkeys(("oi_base", "volume_base", "buy_volume_base", "sell_volume_base", "quantity"), "coins"),
    **dict.fromkeys(("oi_usd", "volume_usd"), "USD"),
}
MEANINGS: Mapping[str, str] = {
    "time": "When it was settled, sampled, closed, or (a candle) opened; UTC.",
    "exchange": "Where it trades.",
    "instrument": "Native symbol of the contract.",
    "asset": "Canonical id of the coin.",
    "source": "Who told it.",
    "kind": "settled or predicted.",
    "rate": "Positive: longs pay shorts.",
    "interval_hours": "Hours between settlements, as of then; null: not told.",
    "interval_known": "declared, inferred or assumed; null of a predicted rate.",
    "for_time": "The settlement a predicted rate is for; null: settled, or not told.",
    "known_at": "When it became known here; UTC.",
    "oi_base": "Open interest, one side; null: not told.",
    "oi_usd": "Open interest, one side; null: not told.",
    "interval": "Length of the candle, or what the volume is of: 1m or 1h.",
    "open": "First price.",
    "high": "Highest price.",
    "low": "Lowest price.",
    "close": "Last price.",
    "volume_base": "Traded; null: not told.",
    "volume_usd": "Traded; null: not told.",
    "buy_volume_base": "Bought by takers; null: not told.",
    "sell_volume_base": "Sold by takers; null: not told.",
    "side": "Whose position was closed: long or short.",
    "price": "Price at which it was closed.",
    "quantity": "How much was closed.",
    "long_short_ratio": "Accounts long ÷ accounts short.",
    "trades": "How many trades; null: not told.",
    "metric": "Name of the metric at its source.",
    "unit": "Unit of the value; null: none.",
    "value": "The value.",
}


def stated(facts: Facts, symbols: Mapping[str, str], sources: Sequence[str]) -> dict[str, str]:
    """Key-value metadata of a Parquet file, as JSON: its columns, the symbols of its assets by canonical id, and the
    sources of its exchange, the preferred first."""
    columns = {name: dict(zip(("unit", "meaning"), _about(facts, name), strict=True)) for name in facts.schema.names}
    told = {"facts": facts.name, "columns": columns, "assets": dict(sorted(symbols.items())), "sources": [*sources]}
    return {STATED: json.dumps(told, ensure_ascii=False)}


def _about(facts: Facts, column: str) -> tuple[str | None, str]:
    """Its unit and meaning."""
    return facts.columns[column] if column in facts.columns else (UNITS.get(column), MEANINGS[column])
