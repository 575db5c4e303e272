"""What one fact is, whoever told it: a frozen value a dataset, which refuses what cannot be true."""

from app.records.checks import (
    CLOCK_SKEW,
    EARLIEST,
    LARGEST_QUANTITY,
    LARGEST_RATE,
    BadRecord,
    check_candle,
    check_interval,
    check_quantity,
    check_rate,
    check_time,
)
from app.records.metrics import LARGEST_VALUE, Domain, Granularity, Metric, MetricValue, SourceAsset
from app.records.minutes import (
    MINUTE_COLUMNS,
    SAMPLES,
    Liquidation,
    PerpMinute,
    Position,
    Taker,
    Trade,
    check_minute_value,
)
from app.records.options import (
    VOLATILITY_INDEX,
    BookChange,
    DeliveryPrice,
    Depth,
    Greeks,
    IndexPrice,
    Level,
    OptionSnapshot,
    OptionTrade,
    Quote,
    check_iv,
    is_volatility_index,
)
from app.records.perps import (
    HOUR_COLUMNS,
    HOUR_PRICES,
    Candle,
    FundingInterval,
    FundingRate,
    Instrument,
    Kind,
    Margin,
    OpenInterest,
    OptionType,
    PerpHour,
    PredictedFunding,
    Underlying,
    check_hour_prices,
    check_hour_value,
)
from app.records.products import PerpSnapshot, Product, Venue

Listed = Instrument | FundingInterval | Product | Venue | SourceAsset | Metric
"""What a source says there is, at no time in particular."""
OptionFact = OptionSnapshot | Greeks | IndexPrice | DeliveryPrice
"""What is told of options, and of the indexes they are on, now and then."""
Tick = Quote | OptionTrade | BookChange | Depth
"""What a socket tells as it happens."""
Fact = (
    FundingRate
    | PredictedFunding
    | OpenInterest
    | Candle
    | PerpMinute
    | Liquidation
    | PerpHour
    | MetricValue
    | OptionFact
)
Record = Listed | Fact | PerpSnapshot | Trade | Tick

__all__ = [
    "CLOCK_SKEW",
    "EARLIEST",
    "HOUR_COLUMNS",
    "HOUR_PRICES",
    "LARGEST_QUANTITY",
    "LARGEST_RATE",
    "LARGEST_VALUE",
    "MINUTE_COLUMNS",
    "SAMPLES",
    "VOLATILITY_INDEX",
    "BadRecord",
    "BookChange",
    "Candle",
    "DeliveryPrice",
    "Depth",
    "Domain",
    "Fact",
    "FundingInterval",
    "FundingRate",
    "Granularity",
    "Greeks",
    "IndexPrice",
    "Instrument",
    "Kind",
    "Level",
    "Liquidation",
    "Listed",
    "Margin",
    "Metric",
    "MetricValue",
    "OpenInterest",
    "OptionFact",
    "OptionSnapshot",
    "OptionTrade",
    "OptionType",
    "PerpHour",
    "PerpMinute",
    "PerpSnapshot",
    "Position",
    "PredictedFunding",
    "Product",
    "Quote",
    "Record",
    "SourceAsset",
    "Taker",
    "Tick",
    "Trade",
    "Underlying",
    "Venue",
    "check_candle",
    "check_hour_prices",
    "check_hour_value",
    "check_interval",
    "check_iv",
    "check_minute_value",
    "check_quantity",
    "check_rate",
    "check_time",
    "is_volatility_index",
]
