"""Which contracts Deribit lists, and the indexes they are on."""

from collections.abc import Iterator, Mapping
from operator import attrgetter

from app.ingest import spec
from app.ingest.sources.deribit.black76 import terms
from app.ingest.sources.deribit.reading import Text
from app.ingest.sources.deribit.rest import DOCS, HOUR, SomeRows, ask_for_list
from app.ingest.sources.deribit.words import INVERSE, Family, index_of
from app.ingest.spec import Bad, Feed, MaybeNum, Ms, Num, Window, Wire
from app.records import VOLATILITY_INDEX, Instrument, Kind, Margin, OptionType, Record, Underlying

UNDERLYINGS: Mapping[str, Underlying] = {"crypto": "coin", "equity": "equity", "equity_etf": "equity"}
OPTION_TYPES: Mapping[str, OptionType] = {"call": "call", "put": "put"}
MARGINS: Mapping[str, Margin] = {"reversed": "coin", "linear": "stable"}


class Contract(Wire):
    """`{"instrument_name":"BTC-27NOV26-100000-C","kind":"option","base_currency":"BTC","quote_currency":"BTC",...}`

    Answers of 2021 lack the type, the index and the currency of settlement, those before 2026 what it is on.
    """

    instrument_name: Text
    kind: Text
    base_currency: Text
    quote_currency: Text
    settlement_period: str | None = None
    instrument_type: str | None = None
    contract_size: Num
    tick_size: Num
    creation_timestamp: Ms
    expiration_timestamp: Ms
    is_active: bool
    strike: MaybeNum = None
    option_type: str | None = None
    price_index: str | None = None
    underlying_type: str | None = None


def _kind(row: Contract) -> Kind | None:
    """Combos and spot are not ours to keep."""
    if row.kind == "option":
        return "option"
    if row.kind == "future":
        return "perp" if row.settlement_period == "perpetual" else "future"
    return None


def margin_of(instrument_type: str | None, quote: str) -> Margin:
    """Coin where profit is paid in the coin: what is quoted in it or in dollars that nobody can hold here."""
    return MARGINS.get(instrument_type or "", "stable" if quote in spec.DOLLARS - {"USD"} else "coin")


def contract(row: Contract, family: Family) -> Instrument | None:
    """A perpetual, future or option on one of these coins. Perpetuals expire in the year 3000, so never."""
    kind = _kind(row)
    if kind is None or row.base_currency not in family.coins:
        return None
    expires = None if kind == "perp" else row.expiration_timestamp
    return Instrument(
        row.instrument_name,
        row.base_currency,
        row.quote_currency,
        kind,
        margin_of(row.instrument_type, row.quote_currency),
        UNDERLYINGS.get(row.underlying_type or "crypto", "other"),
        row.contract_size,
        funding_interval_hours=1.0 if kind == "perp" else None,
        active=row.is_active,
        listed_at=row.creation_timestamp,
        delisted_at=expires,
        expires_at=expires,
        strike=row.strike,
        option_type=OPTION_TYPES[row.option_type] if row.option_type else None,
        price_index=row.price_index,
        tick_size=row.tick_size,
    )


def option(name: str) -> Instrument | None:
    """An option as its name tells it, None of anything else: lists tell only of those that live."""
    try:
        told = terms(name)
    except ValueError:
        return None
    base, _, settled = name.partition("-")[0].partition("_")
    return Instrument(
        name,
        base,
        settled or base,
        "option",
        "stable" if settled else "coin",
        active=False,
        delisted_at=told.expires_at,
        expires_at=told.expires_at,
        strike=told.strike,
        option_type=told.option_type,
        price_index=index_of(base),
    )


def indexes(family: Family) -> Iterator[Instrument]:
    """The index of each coin and, of BTC and ETH, the volatility index."""
    for coin in sorted(family.coins):
        quote = "USD" if coin in INVERSE else "USDC"
        yield Instrument(index_of(coin), coin, quote, "index", oi_sides=None)
        if coin in INVERSE:
            yield Instrument(f"{coin}{VOLATILITY_INDEX}", coin, quote, "index", oi_sides=None)


def instruments(family: Family) -> Feed:
    """All contracts of a currency that trade now, in one answer; and the indexes, which no list has."""
    request = ask_for_list("get_instruments", currency=family.currency, expired="false")
    contracts = spec.each(Contract, lambda row, _: contract(row, family), attrgetter("result"), "instrument_name")

    def rows(answer: SomeRows, window: Window) -> Iterator[Record | Bad | None]:
        found = list(contracts(answer, window))
        yield from found
        if any(isinstance(one, Instrument) for one in found):
            yield from indexes(family)

    docs = f"{DOCS}/public-get_instruments"
    return Feed("instruments", "market", spec.always(request), SomeRows, rows, HOUR, docs)
