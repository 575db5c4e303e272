"""Rows about metrics of entities."""

from typing import ClassVar

from app.api.schemas import OutTime, Row, column

COVERS = (
    "The window one value stands for: instant; 1h or day (from `time` on); 24h, 7d, 30d or 1y (up to when it was "
    "told); quarter (a fiscal one); all (since the beginning)."
)
UNIT = "Its unit; empty: not told."


class MetricRow(Row):
    """What a source calls one of its numbers, what it means, and how much is stored of it."""

    keys: ClassVar[tuple[str, ...]] = ("source", "name")

    source: str = column("Who tells it.")
    name: str = column("What the source calls it.")
    canonical_name: str = column("The name sources share.")
    unit: str = column(UNIT)
    domain: str = column("fundamental, trading, derivative or options.")
    granularity: str = column("How often there is a value: hourly or daily.")
    covers: str = column(COVERS)
    signed: bool = column("Whether it may be negative.")
    about: str = column("What it means; empty: its name says it.")
    entities: int = column("How many entities have values.")
    first: OutTime | None = column("Oldest value; null: there is none.")
    last: OutTime | None = column("Newest value; null: there is none.")


class Fundamental(Row):
    """One value of a metric of an entity."""

    keys: ClassVar[tuple[str, ...]] = ("time", "metric", "source", "exchange", "instrument")

    time: OutTime = column("The instant, or the start of the hour or day it is of; live daily values: UTC midnight.")
    metric: str = column("What its source calls it.")
    canonical_metric: str = column("The name sources share.")
    source: str = column("Who told it.")
    exchange: str | None = column("Where; null: of the entity as a whole.")
    instrument: str | None = column("Native symbol of the perpetual; null: not of one contract.")
    value: float = column("The value, in `unit`.")
    unit: str = column(UNIT)
    covers: str = column(COVERS)
    age_s: float | None = column("With `at`: how long before it `time` was; else null.", "seconds")


class Compared(Row):
    """One source's value of a metric beside those of the others."""

    keys: ClassVar[tuple[str, ...]] = ("time", "asset", "metric", "source", "exchange", "instrument", "native_metric")

    time: OutTime = column("Start of the bucket, or the instant asked for.")
    asset: str = column("What it is of.")
    metric: str = column("The canonical metric.")
    source: str = column("Who told it.")
    exchange: str | None = column("Where, of what does not add up over exchanges; null: of the asset as a whole.")
    instrument: str | None = column("Native symbol, where it is of one contract; null: it is not.")
    native_metric: str = column("What the source calls it.")
    unit: str = column(UNIT)
    covers: str = column(COVERS)
    value: float = column("The last value in the bucket, in `unit`; of what adds up, the sum over exchanges.")
    value_time: OutTime = column("When that value is of (of a sum: the oldest of them).")
    summed: list[str] = column("Exchanges in the sum; empty: not a sum.")
    stale: list[str] = column("Exchanges with a value left out of the sum: over 2 hours older than the newest.")
    median: float | None = column("Over the sources with this unit and window; null: there is one source only.")
    deviation: float | None = column("(value - median) / |median|; null: nothing to compare, or the median is 0.")
    disagreement: float | None = column("(max - min) / |median| of these sources; null as above.")
