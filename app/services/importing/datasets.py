"""The datasets that can be written, and the fields of their rows as `GET` names them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

PERPETUALS = ("perp", "future")


class Kind(Enum):
    """What a field holds: a time, a number or a word."""

    TIME = "time"
    NUMBER = "number"
    WORD = "word"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a row; `about` says what it means, in which unit and what is taken when it is absent."""

    kind: Kind
    about: str
    required: bool = False


@dataclass(frozen=True, slots=True)
class Dataset:
    """Fields by name; `needed`: those no row can do without. `silent`: of `GET` too, but not stored.

    `open`: has the columns of minutes that users added too; only the database knows these (`own_columns`). `kinds`: of
    the contracts its rows are about; one not seen before is made as the first.
    """

    name: str
    fields: Mapping[str, Field]
    silent: frozenset[str] = frozenset()
    needed: tuple[str, ...] = ("time", "exchange")
    open: bool = False
    kinds: tuple[str, ...] = PERPETUALS


def _time(about: str, *, required: bool = False) -> Field:
    return Field(Kind.TIME, about, required)


def _number(about: str, *, required: bool = False) -> Field:
    return Field(Kind.NUMBER, about, required)


def _word(about: str, *, required: bool = False) -> Field:
    return Field(Kind.WORD, about, required)


WHO = {
    "time": _time("RFC 3339, a date, or epoch seconds or milliseconds; UTC where it names no offset.", required=True),
    "exchange": _word("Slug of the exchange, any case; one not seen before is created.", required=True),
    "instrument": _word("Native symbol; one not seen before is made as a perpetual under `asset`."),
    "asset": _word("Canonical id, symbol or any source's id; alone it means the exchange's one perpetual of it."),
    "source": _word("Who told it; default `import`."),
    "known_at": _time("When it became known; default now."),
}

FUNDING = Dataset(
    "funding",
    {
        **WHO,
        "rate": _number("Fraction of one interval, 0.0001 = 0.01 %; positive: longs pay.", required=True),
        "rate_native": _number("The same under the name `GET` has for it; wins over `rate`."),
        "kind": _word("`settled` (default) or `predicted`."),
        "interval_hours": _number("Hours between settlements; inferred from their spacing when absent."),
        "interval_known": _word("How the interval is known: `declared` (default), `inferred` or `assumed`."),
        "for_time": _time("Of a predicted rate: the settlement it is for."),
    },
)

OPEN_INTEREST = Dataset(
    "open-interest",
    {
        **WHO,
        "oi_base": _number("One-sided open interest in coins."),
        "oi_usd": _number("One-sided open interest in USD; one of the two is needed."),
    },
)

CANDLES = Dataset(
    "candles",
    {
        **WHO,
        "interval": _word("`1m` (default) or `1h`; longer candles are computed from these."),
        "open": _number("First price of the interval, in USD a coin.", required=True),
        "high": _number("Highest price; not below open and close.", required=True),
        "low": _number("Lowest price; not above open and close.", required=True),
        "close": _number("Last price.", required=True),
        "volume_base": _number("Volume in coins."),
        "volume_usd": _number("Volume in USD."),
        "buy_volume_base": _number("Volume bought by takers, in coins."),
        "trades": _number("Number of trades."),
    },
    silent=frozenset({"complete"}),
)

FUNDAMENTALS = Dataset(
    "fundamentals",
    {
        "time": _time("The instant, or the start of the day; UTC where it names no offset.", required=True),
        "asset": _word("Canonical id, symbol or any source's id.", required=True),
        "metric": _word("What the source calls it, any case; one not seen before is added.", required=True),
        "value": _number("The value; a row without one is refused.", required=True),
        "exchange": _word("Slug of the exchange, where it is told by exchange; one not seen before is created."),
        "source": WHO["source"],
        "unit": _word("Its unit, such as `USD`; has to be that of the catalogue, where that has one."),
        "known_at": WHO["known_at"],
    },
    silent=frozenset({"canonical_metric", "covers", "age_s"}),
    needed=("time", "asset", "metric", "value"),
)

LIQUIDATIONS = Dataset(
    "liquidations",
    {
        **WHO,
        "side": _word("Whose position was closed: `long` or `short`.", required=True),
        "price": _number("Price at which it was closed, in USD a coin.", required=True),
        "quantity": _number("How much was closed, in coins.", required=True),
    },
    needed=("time", "exchange", "side", "price", "quantity"),
)

LONG_SHORT = Dataset(
    "long-short",
    {
        **WHO,
        "long_short_ratio": _number("Accounts long ÷ accounts short; told of the minute `time` is in."),
        "long_share": _number("Instead: the share of accounts that are long, a fraction; `short_share` is the rest."),
        "short_share": _number("The share of accounts that are short, a fraction."),
    },
)

TAKER_VOLUME = Dataset(
    "taker-volume",
    {
        **WHO,
        "interval": _word("`1m` (default) or `1h`; `time` is its start, and it has to be over."),
        "buy_volume_base": _number("Volume bought by takers, in coins."),
        "sell_volume_base": _number("Volume sold by takers, in coins; one of the two is needed."),
    },
)

PERP_DATA = Dataset("perp-data", WHO, open=True)

OPTIONS = Dataset(
    "options",
    {
        **WHO,
        "time": _time("RFC 3339, or epoch seconds or milliseconds: the very instant it stood so.", required=True),
        "instrument": _word(
            "Name of the option, such as `BTC-27DEC24-100000-C`, which says expiry, strike and side; "
            "one not seen before is made.",
            required=True,
        ),
        "asset": _word("Canonical id, symbol or any source's id; default: the coin in the name."),
        "bid": _number("Best bid as it is quoted: coins a coin, USDC of a linear option; 0 is none."),
        "ask": _number("Best ask as it is quoted; 0 is none."),
        "mark": _number("Mark price as it is quoted."),
        "mark_iv": _number("Implied volatility at the mark, a fraction: 0.6157 = 61.57 %; 0 is none."),
        "underlying": _number("Price of the forward it is valued by, in USD."),
        "index_price": _number("Price of the index, in USD."),
        "delta": _number("Of one coin, not adjusted by the premium, from -1 to 1."),
        "gamma": _number("Change of delta a USD."),
        "vega": _number("USD a percentage point of volatility."),
        "theta": _number("USD a day."),
        "rho": _number("USD a percentage point of interest."),
        "open_interest": _number("In coins."),
        "volume": _number("Traded in 24 hours, in coins."),
    },
    silent=frozenset({"expiry", "strike", "option_type", "model", "as_of"}),
    needed=("time", "exchange", "instrument"),
    kinds=("option",),
)

INDEX = Dataset(
    "index",
    {
        **WHO,
        "time": _time("RFC 3339, or epoch seconds or milliseconds; of a candle its start.", required=True),
        "instrument": _word(
            "Name of the index, such as `btc_usd` or `BTC-DVOL`; one not seen before is made.", required=True
        ),
        "asset": _word("Canonical id, symbol or any source's id; default: the coin in the name."),
        "price": _number("Price in its currency, of a volatility index a fraction: 0.475 = 47.5 %.", required=True),
        "open": _number("Of a candle: the first price; `price` is the last. With `high` and `low`, or without all."),
        "high": _number("Of a candle: the highest price."),
        "low": _number("Of a candle: the lowest price."),
    },
    needed=("time", "exchange", "instrument", "price"),
    kinds=("index",),
)

DATASETS: Mapping[str, Dataset] = {
    dataset.name: dataset
    for dataset in (
        FUNDING,
        OPEN_INTEREST,
        CANDLES,
        LIQUIDATIONS,
        LONG_SHORT,
        TAKER_VOLUME,
        PERP_DATA,
        OPTIONS,
        INDEX,
        FUNDAMENTALS,
    )
}

USUAL_NAMES: Mapping[str, str] = {
    **dict.fromkeys(("ts", "timestamp", "date", "datetime", "open_time", "fundingtime", "funding_time"), "time"),
    **dict.fromkeys(("venue", "exch", "market"), "exchange"),
    **dict.fromkeys(
        ("symbol", "venue_symbol", "ticker", "contract", "pair", "instid", "instrument_name"), "instrument"
    ),
    **dict.fromkeys(("coin", "base", "currency"), "asset"),
    **dict.fromkeys(("funding_rate", "fundingrate", "rate_raw", "funding"), "rate"),
    **dict.fromkeys(("vol", "volume"), "volume_base"),
    **dict.fromkeys(("open_interest", "openinterest", "oi"), "oi_base"),
    **dict.fromkeys(("ratio", "lsr", "longshortratio", "long_short"), "long_short_ratio"),
    **dict.fromkeys(("long_account", "longaccount"), "long_share"),
    **dict.fromkeys(("short_account", "shortaccount"), "short_share"),
    **dict.fromkeys(("buy_vol", "buyvol", "tbv", "buy_volume"), "buy_volume_base"),
    **dict.fromkeys(("sell_vol", "sellvol", "tsv", "sell_volume"), "sell_volume_base"),
    **dict.fromkeys(("implied_volatility", "iv", "sigma"), "mark_iv"),
    **dict.fromkeys(("underlying_price", "forward"), "underlying"),
    **dict.fromkeys(("bid_price", "best_bid_price"), "bid"),
    **dict.fromkeys(("ask_price", "best_ask_price"), "ask"),
    **dict.fromkeys(("mark_price",), "mark"),
    **dict.fromkeys(("qty", "size", "amount"), "quantity"),
    **dict.fromkeys(("o",), "open"),
    **dict.fromkeys(("h",), "high"),
    **dict.fromkeys(("l",), "low"),
    **dict.fromkeys(("c",), "close"),
}
"""What others call these fields, for hints only: nothing is mapped unless asked for."""
