"""Rows of answers about options: chain, expiries, surface, term structure, greeks."""

from typing import ClassVar, Literal

from app.api.schemas import OutTime, Row, column, columns

AS_QUOTED = "as price_unit says: coin (coins a coin) or USD"
COINS, USD, FRACTION = "coins", "USD", "fraction per year"
OF_ONE = "of one coin of the underlying"
OF_A_DAY = f"USD a day, or of the life that remains where that is less, {OF_ONE}"


class OptionSide(Row):
    """A call or a put, as whoever told of it last has it."""

    keys: ClassVar[tuple[str, ...]] = ("instrument",)

    instrument: str = column("Native symbol.")
    bid: float | None = column("Best bid; null: none.", AS_QUOTED)
    ask: float | None = column("Best ask; null: none.", AS_QUOTED)
    mark: float | None = column("Mark price.", AS_QUOTED)
    mark_iv: float | None = column("Implied volatility of the mark price.", FRACTION)
    delta: float | None = column("Delta, not adjusted by the premium.", f"USD a USD, {OF_ONE}")
    gamma: float | None = column("Change of delta.", f"1 a USD, {OF_ONE}")
    vega: float | None = column("Change of value by a percentage point of IV.", f"USD, {OF_ONE}")
    theta: float | None = column("Change of value by a day, or by the life that remains.", OF_A_DAY)
    rho: float | None = column("Change of value by a percentage point of interest.", f"USD, {OF_ONE}")
    greeks: Literal["told", "black76", "told and black76"] | None = column(
        "Whether greeks were told, or are Black-76 of mark_iv; both, where some were told."
    )
    open_interest: float | None = column("Open interest.", COINS)
    volume: float | None = column("Traded in 24 hours.", COINS)
    underlying: float | None = column("The forward it is priced on.", USD)
    index_price: float | None = column("The price index.", USD)
    as_of: OutTime = column("When the newest of this was told, at most a day before `time`.")
    age_s: float = column("How long that was before `time`.", "seconds")
    source: str = column("Who told it.")


SIDE_UNITS = {
    f"{side}.{field.name}": field.unit for side in ("call", "put") for field in columns(OptionSide) if field.unit
}
"""Units of what is within `call` and `put`."""


class ChainRow(Row):
    """The call and the put of one strike and expiry, as they stood at an instant."""

    keys: ClassVar[tuple[str, ...]] = ("expiry", "strike", "exchange", "quote", "price_unit")

    time: OutTime = column("The instant.")
    expiry: OutTime = column("When both expire.")
    strike: float = column("What the coin is bought or sold for.", USD)
    exchange: str = column("Where they trade.")
    quote: str | None = column("Currency they are quoted in: inverse and linear options are rows of their own.")
    price_unit: Literal["coin", "USD"] = column("Unit of bid, ask and mark: coins a coin, or USD (its stablecoin).")
    call: OptionSide | None = column("The call; null: not listed, or nothing told in the day before.")
    put: OptionSide | None = column("The put; null: not listed, or nothing told in the day before.")


class TotalsRow(Row):
    """All options of one asset, as they stood at an instant."""

    keys: ClassVar[tuple[str, ...]] = ("asset", "exchange", "quote")

    time: OutTime = column("The instant.")
    asset: str = column("Of what.")
    exchange: str = column("Where they trade.")
    quote: str | None = column("Currency they are quoted in.")
    expiries: int = column("How many expiries they have.")
    options: int = column("How many of them something was told of in the day before.")
    index_price: float | None = column("The price index told last with any of them.", USD)
    open_interest: float | None = column("Open interest of all.", COINS)
    open_interest_usd: float | None = column("The same at the index price.", USD)
    call_open_interest: float | None = column("Open interest of calls.", COINS)
    put_open_interest: float | None = column("Open interest of puts.", COINS)
    call_open_interest_usd: float | None = column("The same at the index price.", USD)
    put_open_interest_usd: float | None = column("The same at the index price.", USD)
    put_call_open_interest: float | None = column("Open interest of puts ÷ of calls.", "ratio")
    call_volume: float | None = column("Calls traded in 24 hours.", COINS)
    put_volume: float | None = column("Puts traded in 24 hours.", COINS)
    put_call_volume: float | None = column("Puts traded ÷ calls traded.", "ratio")
    as_of: OutTime = column("When the newest of this was told.")


class ExpiryRow(Row):
    """All options of one expiry, as they stood at an instant."""

    keys: ClassVar[tuple[str, ...]] = ("expiry", "exchange", "quote")

    time: OutTime = column("The instant.")
    expiry: OutTime = column("When they expire.")
    exchange: str = column("Where they trade.")
    quote: str | None = column("Currency they are quoted in.")
    days: float = column("How long they live yet.", "days")
    options: int = column("How many of them something was told of in the day before.")
    forward: float | None = column("The underlying price told last of them.", USD)
    call_open_interest: float | None = column("Open interest of calls.", COINS)
    put_open_interest: float | None = column("Open interest of puts.", COINS)
    call_open_interest_usd: float | None = column("The same at the index price.", USD)
    put_open_interest_usd: float | None = column("The same at the index price.", USD)
    put_call_open_interest: float | None = column("Open interest of puts ÷ of calls.", "ratio")
    call_volume: float | None = column("Calls traded in 24 hours.", COINS)
    put_volume: float | None = column("Puts traded in 24 hours.", COINS)
    put_call_volume: float | None = column("Puts traded ÷ calls traded.", "ratio")
    atm_iv: float | None = column("IV at the forward: linear in strike between the two strikes around it.", FRACTION)
    skew_25d: float | None = column("IV of the 25-delta put less that of the 25-delta call.", FRACTION)
    butterfly_25d: float | None = column("Mean IV of the 25-delta put and call less atm_iv.", FRACTION)
    as_of: OutTime = column("When the newest of this was told.")


class StrikePoint(Row):
    """Implied volatility of one expiry and strike at an instant."""

    keys: ClassVar[tuple[str, ...]] = ("expiry", "strike", "exchange", "quote")

    time: OutTime = column("The instant.")
    expiry: OutTime = column("The expiry.")
    strike: float = column("The strike.", USD)
    exchange: str = column("Where the options trade.")
    quote: str | None = column("Currency they are quoted in.")
    days: float = column("Time to expiry.", "days")
    forward: float = column("The underlying price told last of this expiry.", USD)
    moneyness: float = column("strike ÷ forward.", "ratio")
    log_moneyness: float = column("Its natural logarithm.", "ratio")
    iv: float = column("Mean IV of the call and the put.", FRACTION)
    delta: float | None = column("Black-76 delta of a call of this IV, at `time`.", f"USD a USD, {OF_ONE}")


class DeltaPoint(Row):
    """Implied volatility of one expiry and bucket of delta at an instant."""

    keys: ClassVar[tuple[str, ...]] = ("expiry", "place", "exchange", "quote")

    time: OutTime = column("The instant.")
    expiry: OutTime = column("The expiry.")
    place: int = column("Place of the bucket, from 1 (10d put) over 5 (ATM) to 9 (10d call): ascending strikes.")
    exchange: str = column("Where the options trade.")
    quote: str | None = column("Currency they are quoted in.")
    days: float = column("Time to expiry.", "days")
    bucket: str = column("10d put, 15d put, 25d put, 35d put, ATM, 35d call, 25d call, 15d call, 10d call.")
    delta: float | None = column("The delta of the bucket; null: ATM, where the strike is the forward.", "USD a USD")
    strike: float | None = column("The strike there, linear in delta.", USD)
    forward: float | None = column("The underlying price told last of this expiry.", USD)
    moneyness: float | None = column("strike ÷ forward.", "ratio")
    iv: float = column("IV there: linear in delta between options out of the money; of ATM linear in strike.", FRACTION)


class TermRow(Row):
    """Implied volatility of one expiry, or of a constant maturity, at one instant."""

    keys: ClassVar[tuple[str, ...]] = ("time", "exchange", "quote", "maturity")

    time: OutTime = column("The instant.")
    maturity: str = column("The day of expiry; or 7d, 30d, 90d: in variance × time between the expiries around it.")
    exchange: str = column("Where the options trade.")
    quote: str | None = column("Currency they are quoted in.")
    expiry: OutTime | None = column("The expiry; null: a constant maturity.")
    days: float = column("Time to maturity.", "days")
    forward: float | None = column("The underlying price; of a constant maturity linear in time.", USD)
    atm_iv: float | None = column("IV at the forward.", FRACTION)
    skew_25d: float | None = column("IV of the 25-delta put less that of the 25-delta call.", FRACTION)
    butterfly_25d: float | None = column("Mean IV of the 25-delta put and call less atm_iv.", FRACTION)


class GreeksRow(Row):
    """Greeks of one option, of one coin of its underlying, in USD."""

    time: OutTime = column("When they were told, or the instant they are computed for.")
    exchange: str = column("Where it trades.")
    instrument: str = column("Native symbol.")
    expiry: OutTime = column("When it expires.")
    strike: float = column("Its strike.", USD)
    option_type: Literal["call", "put"] = column("call or put.")
    delta: float | None = column("Delta, not adjusted by the premium.", f"USD a USD, {OF_ONE}")
    gamma: float | None = column("Change of delta.", f"1 a USD, {OF_ONE}")
    vega: float | None = column("Change of value by a percentage point of IV.", f"USD, {OF_ONE}")
    theta: float | None = column("Change of value by a day, or by the life that remains.", OF_A_DAY)
    rho: float | None = column("Change of value by a percentage point of interest.", f"USD, {OF_ONE}")
    model: Literal["told", "black76"] = column("Whether they were told, or computed of mark_iv.")
    as_of: OutTime = column("When what they are made of was told.")
    source: str = column("Who told it.")
