"""The metrics of Artemis: what each is, of what kind of thing it is told, and by how long a window.

Names are those of the API. Units and windows are from its public client and the documents; they stand in no answer
that was seen.
"""

import re
from collections.abc import Iterator

from app.records import BadRecord, Domain, Metric

UNKNOWN = "unknown"
QUARTERLY = "_QUARTERLY"
EXCLUDED = {"VOLATILITY_90D_ANN", "STABLECOIN_AVG_DAU", "TOKENIZED_SHARES_TRADING_VOLUME", "FDMV_NAV_RATIO"}
SAME = {"STABLECOIN_MC": "STABLECOIN_SUPPLY", "24H_VOLUME": "TRADING_VOLUME_24H"}


def _metrics(
    names: str, unit: str, covers: str, domain: Domain = "fundamental", *, signed: bool = False
) -> Iterator[Metric]:
    for name in names.split():
        yield Metric(name, SAME.get(name, name), unit, domain, "daily", covers, signed)


def _by_name(*groups: Iterator[Metric]) -> dict[str, Metric]:
    return {metric.name: metric for group in groups for metric in group}


OF_ALL = _by_name(
    _metrics("PRICE", "USD", "instant", "trading"),
    _metrics("MC", "USD", "instant"),
    _metrics("24H_VOLUME", "USD", "24h", "trading"),
)
OF_COINS = _by_name(
    _metrics("FDMC FDV TVL LENDING_DEPOSITS LENDING_BORROWS LENDING_LOANS", "USD", "instant"),
    _metrics("FEES AVG_TXN_FEE SPOT_FEES", "USD", "day"),
    _metrics("REVENUE", "USD", "day", signed=True),
    _metrics("DAU NEW_USERS STABLECOIN_DAU", "addresses", "day"),
    _metrics("TXNS", "count", "day"),
    _metrics("SPOT_VOLUME", "USD", "day", "trading"),
    _metrics("PERP_VOLUME PERP_FEES PERP_LIQUIDATION", "USD", "day", "derivative"),
    _metrics("PERP_TXNS", "count", "day", "derivative"),
    _metrics("OPEN_INTEREST", "USD", "instant", "derivative"),
    _metrics("CIRCULATING_SUPPLY_NATIVE TOTAL_SUPPLY_NATIVE", "tokens", "instant"),
    _metrics("GROSS_EMISSIONS", UNKNOWN, "day"),
    _metrics("FDMC_FEES_RATIO FDMC_REVENUE_RATIO ETHEREUM_FDMC_RATIO", "ratio", "instant", signed=True),
    _metrics("24H_VOLUME_MC_RATIO 24H_VOLUME_FDMC_RATIO", "ratio", "24h", "trading", signed=True),
    _metrics("STABLECOIN_MC STABLECOIN_SUPPLY", "USD", "instant"),
    _metrics("STABLECOIN_TRANSFER_VOLUME ARTEMIS_STABLECOIN_TRANSFER_VOLUME", "USD", "day"),
    _metrics("P2P_STABLECOIN_TRANSFER_VOLUME AVERAGE_TRANSACTION_VALUE", "USD", "day"),
    _metrics("STABLECOIN_DAILY_TXNS ARTEMIS_STABLECOIN_DAILY_TXNS P2P_STABLECOIN_DAILY_TXNS", "count", "day"),
)
OF_EQUITIES = _by_name(
    _metrics("EQ_EV NAV", "USD", "instant", signed=True),
    _metrics("EQ_CASH_AND_CASH_EQUIVALENTS EQ_TOTAL_DEBT", "USD", "instant"),
    _metrics("TOTAL_REVENUE NET_INCOME EBITDA", "reporting currency", "quarter", signed=True),
    _metrics("OPERATING_INCOME FREE_CASH_FLOW", "reporting currency", "quarter", signed=True),
    _metrics("BASIC_EPS DILUTED_EPS", "reporting currency a share", "quarter", signed=True),
    _metrics("ENTERPRISE_VALUE_DIVIDE_TOTAL_REVENUE", "ratio", "instant", signed=True),
    _metrics("ENTERPRISE_VALUE_DIVIDE_NET_INCOME ENTERPRISE_VALUE_DIVIDE_EBITDA", "ratio", "instant", signed=True),
    _metrics("ENTERPRISE_VALUE_DIVIDE_FREE_CASH_FLOW", "ratio", "instant", signed=True),
    _metrics("MARKET_CAP_DIVIDE_FREE_CASH_FLOW EARNINGS_YIELD FCF_YIELD", "ratio", "instant", signed=True),
)
METRICS = OF_ALL | OF_COINS | OF_EQUITIES


def metric_of(name: str) -> Metric:
    """A metric by the name it is stored under; of one that is new we know no more, so it may be negative.

    `X_QUARTERLY` is what we call a new X that is told by fiscal quarter alone. Raises BadRecord if it is no name.
    """
    if name in METRICS:
        return METRICS[name]
    if not re.fullmatch(r"[A-Z0-9_]+", name):
        raise BadRecord("no_id", f"{name!r} is no name of a metric")
    covers = "quarter" if name.endswith(QUARTERLY) else "day"
    return Metric(name, name, UNKNOWN, "fundamental", "daily", covers, signed=True)


def api_id(name: str) -> str:
    """What the API calls the metric stored under this name."""
    return name if name in METRICS else name.removesuffix(QUARTERLY)


def is_of(metric: Metric, *, equities: bool) -> bool:
    """Whether to ask it of equities, or else of coins and all the rest. A new one is asked of both, if not clear."""
    if metric.name in METRICS:
        return metric.name in OF_ALL or metric.name in (OF_EQUITIES if equities else OF_COINS)
    return equities or not (metric.name.startswith("EQ_") or metric.covers == "quarter")
