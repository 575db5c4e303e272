"""Rows of the spread routes."""

from typing import ClassVar

from app.api.schemas import OutTime, Row, column

PER = "fraction per `per`"
YEAR = "fraction per year, simple"
FRACTION = "fraction of the notional"
USD = "USD, one side"


class Spread(Row):
    """Two perpetuals of an asset at one instant: short the one, long the other."""

    keys: ClassVar[tuple[str, ...]] = (
        "time", "short_exchange", "short_instrument", "long_exchange", "long_instrument",
    )  # fmt: skip

    time: OutTime = column("The instant; settlements stamped exactly then count.")
    short_exchange: str = column("Where to be short.")
    short_instrument: str = column("The contract there.")
    long_exchange: str = column("Where to be long.")
    long_instrument: str = column("The contract there.")
    short_rate: float = column("Rate in force of the short leg, which it receives where positive.", PER)
    long_rate: float = column("Rate in force of the long leg, which it pays where positive.", PER)
    spread: float = column("short_rate − long_rate; negative only where the legs were named.", PER)
    spread_apr: float = column("The same a year.", YEAR)
    short_time: OutTime = column("When the short leg's rate settled.")
    long_time: OutTime = column("When the long leg's rate settled.")
    interval_assumed: bool = column("Whether the interval of either leg is assumed.")


class AssetSpread(Spread):
    """The widest spread of an asset at one instant."""

    keys: ClassVar[tuple[str, ...]] = ("time", "asset")

    asset: str = column("Symbol of the entity, or its canonical id where several share the symbol.")


class RankedSpread(Row):
    """A pair of perpetuals of an asset, with what it pays after fees and what it paid before."""

    keys: ClassVar[tuple[str, ...]] = ("rank",)

    rank: int = column("Place in the ranking, from 1.")
    asset: str = column("Symbol of the entity, or its canonical id where several share the symbol.")
    short_exchange: str = column("Where to be short: the higher rate.")
    short_instrument: str = column("The contract there.")
    long_exchange: str = column("Where to be long: the lower rate.")
    long_instrument: str = column("The contract there.")
    short_rate: float = column("Rate in force of the short leg.", PER)
    long_rate: float = column("Rate in force of the long leg.", PER)
    spread: float = column("short_rate − long_rate: gross.", PER)
    spread_apr: float = column("The same a year: gross.", YEAR)
    fees: float = column("Opening and closing both legs.", FRACTION)
    fees_assumed: bool = column("Whether the fee of either leg is assumed.")
    net_apr: float = column("(hourly spread × horizon_hours − fees) × 8760 ÷ horizon_hours.", YEAR)
    break_even_hours: float | None = column("fees ÷ hourly spread; null where the spread is 0.", "hours")
    break_even_spread: float = column("The spread at which horizon_hours pay the fees: net_apr is 0.", PER)
    persistence: float | None = column(
        "Share of the last lookback_hours full hours at which the short leg's rate was above the long leg's, of those "
        "at which both had one; null: at none.",
        "fraction, 0 to 1",
    )
    persistence_hours: int = column("At how many of these hours both legs had a rate in force.", "hours")
    realised_spread: float | None = column(
        "What short − long settled in the last lookback_hours, the instant included, while the settlements of both "
        "legs are known; null: one of them settled nothing.",
        "fraction over realised_hours",
    )
    realised_hours: float = column("For how many of these hours the settlements of both legs are known.", "hours")
    settlement_mismatch: bool = column("Whether the legs settle at different times.")
    interval_assumed: bool = column("Whether the interval of either leg is assumed.")
    short_oi_usd: float | None = column("Open interest of the short leg; null: none known within two hours.", USD)
    long_oi_usd: float | None = column("Open interest of the long leg; null: none known within two hours.", USD)
    capacity_usd: float | None = column(
        "PERPSTORE_CAPACITY_SHARE of the smaller leg's open interest; null: that of a leg is not known.", "USD"
    )
    short_age_s: float = column("Time since the short leg's rate settled.", "seconds")
    long_age_s: float = column("Time since the long leg's rate settled.", "seconds")
    age_s: float = column("The older of the two.", "seconds")
