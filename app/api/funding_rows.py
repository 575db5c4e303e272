"""Rows of the funding routes."""

from typing import ClassVar, Literal

from app.api.schemas import Out, OutTime, Row, column

PER = "fraction per `per`"
FRACTION = "fraction of one interval"
USD = "USD, one side"


class LatestFunding(Row):
    """The newest settled rate of one perpetual."""

    keys: ClassVar[tuple[str, ...]] = ("asset", "exchange", "instrument")

    asset: str = column("Symbol of the entity, or its canonical id where several share the symbol.")
    exchange: str = column("Where it trades.")
    instrument: str = column("Native symbol of the contract.")
    time: OutTime = column("When this rate settled.")
    rate: float = column("Settled rate; positive: longs pay shorts.", PER)
    interval_hours: float = column("Interval this rate was paid for.", "hours")
    next_time: OutTime | None = column("When the next settlement is due; null: not known, or the rate is too old.")
    predicted_rate: float | None = column("Estimate of the next settlement; null: not known.", PER)
    oi_usd: float | None = column("Open interest that goes with the rate; null: none known within two hours.", USD)
    age_s: float = column("Time since the settlement.", "seconds")
    rate_native: float = column("The rate as paid.", FRACTION)
    interval_known: Literal["declared", "inferred", "assumed"] = column("How the interval is known.")
    source: str = column("Who told the rate.")


class Settlement(Row):
    """What one perpetual paid at one settlement."""

    time: OutTime = column("When it settled.")
    exchange: str = column("Where it trades.")
    instrument: str = column("Native symbol of the contract.")
    rate: float = column("Rate; positive: longs pay shorts.", PER)
    rate_native: float = column("The rate as paid.", FRACTION)
    interval_hours: float = column("Time since the settlement before.", "hours")
    interval_known: Literal["declared", "inferred", "assumed"] = column("How the interval is known.")
    kind: Literal["settled"] = column("settled: was paid.")
    source: str = column("Who told us.")


class MeanFunding(Row):
    """What one perpetual paid in a bucket of time (`interval` without `weighted`)."""

    time: OutTime = column("When the bucket begins; a settlement stamped exactly then is in it.")
    exchange: str = column("Where it trades.")
    instrument: str = column("Native symbol of the contract.")
    rate: float = column("Mean of what settled: cumulative_rate ÷ interval_hours.", PER)
    cumulative_rate: float = column("Plain sum of the settled rates, as paid.", "fraction over the bucket")
    settlements: int = column("How many settlements fell in the bucket.")
    interval_hours: float = column("Their intervals together.", "hours")
    source: str = column("Who told them.")


class Prediction(Row):
    """An estimate of what one perpetual will pay, sampled at `time`."""

    time: OutTime = column("When it was sampled.")
    exchange: str = column("Where it trades.")
    instrument: str = column("Native symbol of the contract.")
    rate: float | None = column("Estimate; null where the interval is not known.", PER)
    rate_native: float = column("The estimate as told.", FRACTION)
    interval_hours: float | None = column("Hours `rate_native` is of, as valid then; null: not known then.", "hours")
    interval_known: Literal["declared", "inferred", "assumed"] | None = column(
        "declared: with the estimate, or by its exchange by then; inferred: that of the settlement in force then; "
        "assumed: that of one longer ago, or itself assumed; null: not known then."
    )
    kind: Literal["predicted"] = column("predicted: an estimate of what will be paid.")
    source: str = column("Who told us.")
    for_time: OutTime | None = column("The settlement it is for; null: not told.")
    minutes_before: float | None = column(
        "From `time` to that settlement, or where it is not told to the one whose interval it was told in; "
        "null: that has not settled yet.",
        "minutes",
    )
    settled_rate: float | None = column("What that settlement paid; null: not known (at `at`, by `known_at`).", PER)
    error: float | None = column("rate − settled_rate; null: one of them is.", PER)


class PredictionError(Row):
    """How far what one source told of one perpetual, so long before settlement, was from what was paid."""

    keys: ClassVar[tuple[str, ...]] = ("exchange", "instrument", "source", "minutes_from")

    exchange: str = column("Where it trades.")
    instrument: str = column("Native symbol of the contract.")
    source: str = column("Who told the estimates.")
    minutes_from: float = column("Told so long before settlement at the least.", "minutes")
    minutes_to: float = column("And less than that.", "minutes")
    samples: int = column("How many estimates. 0: the errors are null.")
    settlements: int = column("How many settlements they were of.")
    mean_error: float | None = column("Bias: mean of estimate − paid; positive: told too high.", PER)
    mean_absolute_error: float | None = column("Mean of |estimate − paid|.", PER)
    root_mean_square_error: float | None = column("Root of the mean of (estimate − paid)².", PER)
    max_absolute_error: float | None = column("Greatest |estimate − paid|.", PER)
    sign_right: float | None = column(
        "Share of estimates with the sign of what was paid; 0 has a sign of its own.", "fraction, 0 to 1"
    )
    without_interval: int = column("Estimates beside these: nothing told by then of which interval they were.")


class Contributor(Out):
    """One perpetual behind a weighted mean."""

    exchange: str = column("Where it trades.")
    instrument: str = column("Native symbol of the contract.")
    rate: float = column("Its rate.", PER)
    rate_native: float = column("Its rate as paid.", FRACTION)
    interval_hours: float = column("Its interval.", "hours")
    settled_at: str = column("When its rate settled, RFC 3339.")
    weight: float | None = column("Its last known weight; null: not known.")
    oi_usd: float | None = column("Its open interest, if not older than max_age.", USD)
    state: Literal["present", "stale", "missing"] = column("Whether it is in the mean, or why not.")


class WeightedFunding(Row):
    """The mean of the rates in force at one instant; all but `rate` describe exactly the instruments of `present`."""

    keys: ClassVar[tuple[str, ...]] = ("time",)

    time: OutTime = column("The instant; settlements stamped exactly then count.")
    rate: float | None = column("Weighted mean; null: nothing present, no weight, or coverage below min_coverage.", PER)
    mean: float | None = column("Mean with equal weights.", PER)
    median: float | None = column("Median.", PER)
    min: float | None = column("Lowest.", PER)
    max: float | None = column("Highest.", PER)
    instruments: int = column("How many instruments are in the mean.")
    oi_usd: float | None = column("Their open interest.", USD)
    coverage: float | None = column("Weight present ÷ last known weight of all expected.", "fraction, 0 to 1")
    present: list[str] = column("Exchanges in the mean.")
    stale: list[str] = column("Exchanges with a rate in force whose weight is unknown or older than max_age.")
    missing: list[str] = column("Exchanges with no rate in force, though one was known in the 30 days before.")


class MarketFunding(WeightedFunding):
    """The mean of the rates of one asset in force at one instant, beside those of all others."""

    keys: ClassVar[tuple[str, ...]] = ("asset",)

    asset: str = column("Symbol of the entity, or its canonical id where several share the symbol.")
    next_time: OutTime | None = column(
        "When the next of its contracts settles, by its interval; null: none is in force."
    )


class DetailedFunding(WeightedFunding):
    """The same with every perpetual behind it (`detail=contributors`)."""

    contributors: list[Contributor] = column("Every perpetual expected at that instant.")


class Carry(Row):
    """What holding one perpetual over the window paid."""

    keys: ClassVar[tuple[str, ...]] = ("exchange", "instrument")

    exchange: str = column("Where it trades.")
    instrument: str = column("Native symbol of the contract.")
    side: Literal["long", "short"] = column("The position.")
    settlements: int = column("How many settlements fell in the window.")
    cumulative_rate: float = column("Plain sum of the settled rates.", "fraction over the window")
    apr: float = column("cumulative_rate × 8760 ÷ hours of the window.", "fraction per year, simple")
    apy: float | None = column("(1 + cumulative_rate) ^ (8760 ÷ hours) − 1.", "fraction per year, compounded")
    paid_usd: float | None = column("Paid on `notional`; negative: received; null: no notional given.", "USD")
