"""The feeds of DefiLlama by what they ask for, bodies in their shapes, and what becomes of them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import TypeAdapter

from app.ingest.sources import load
from app.ingest.spec import Aim, Bad, Feed, Window
from app.records import MetricValue

SOURCE = load(["defillama"])["defillama"]
NOW = datetime(2026, 10, 8, 14, 5, tzinfo=UTC)
TODAY, DAY = datetime(2026, 10, 8, tzinfo=UTC), timedelta(days=1)
BEGIN = datetime(2017, 1, 1, tzinfo=UTC)
ASSETS = {
    "chain_name": ("Ethereum", "Hyperliquid L1"),
    "protocol_slug": ("aave", "lido"),
    "stablecoin_id": ("1", "52"),
    "bridge_id": ("11",),
}
PAST = Aim(BEGIN, TODAY, live=False, assets=ASSETS, keyed=True)
LIVE = Aim(NOW, NOW, live=True, assets=ASSETS, keyed=True)


def window(*subjects: str, column: str = "", live: bool = True) -> Window:
    start, end = (NOW, NOW) if live else (BEGIN, TODAY)
    return Window(start, end, subjects=subjects, columns=(column,) if column else ())


def market(path: str, data_type: str | None = None) -> Feed:
    """The feed that asks for this of all."""
    [feed] = [
        feed
        for feed in SOURCE.feeds
        if feed.scope == "market"
        and (request := feed.request(window())).path == path
        and dict(request.params).get("dataType") == data_type
    ]
    return feed


def batch(column: str, id_type: str, *, live: bool = False) -> Feed:
    """The feed that asks for this of one thing."""
    aim = LIVE if live else PAST
    asked = [(feed, piece) for feed in SOURCE.feeds if feed.pieces for piece in feed.pieces(aim)]
    ours = [feed for feed, piece in asked if piece.columns == (column,) and piece.subjects[0] in ASSETS[id_type]]
    assert ours
    assert all(feed is ours[0] for feed in ours)
    return ours[0]


def read(feed: Feed, body: Any, asked: Window) -> list[Any]:
    return list(feed.rows(TypeAdapter(feed.answer).validate_python(body), asked))


def told(items: list[Any], id: str | None = None) -> dict[str, float]:
    """Values by name of metric; each only once."""
    values = [item for item in items if isinstance(item, MetricValue) and id in (None, item.id)]
    named = {item.metric.name: item.value for item in values}
    assert len(named) == len(values)
    return named


def bads(items: list[Any]) -> list[tuple[str | None, str]]:
    return [(item.symbol, item.code) for item in items if isinstance(item, Bad)]


def overview(*rows: Mapping[str, Any]) -> dict[str, Any]:
    return {"chain": None, "allChains": ["Ethereum"], "total24h": 1, "totalDataChart": [], "protocols": list(rows)}


def protocol(slug: str, **numbers: Any) -> dict[str, Any]:
    return {"slug": slug, "name": slug, "displayName": slug.title(), "protocolType": "protocol", **numbers}


def child(slug: str, parent: Any = "aave", **more: Any) -> dict[str, Any]:
    return {"slug": slug, "name": slug, "parentProtocol": f"parent#{parent}", "parentProtocolSlug": parent, **more}


FIELDS = {
    "total24h": 24.5,
    "total48hto24h": 48.5,
    "total7d": 7.5,
    "total14dto7d": 14.5,
    "total30d": 30.5,
    "total60dto30d": 60.5,
    "total1y": 1.5,
    "totalAllTime": 99.5,
    "total7DaysAgo": 77.5,
    "total30DaysAgo": 33.5,
    "average1y": 2.5,
    "monthlyAverage1y": 3.5,
    "annualized1y": 4.5,
    "change_1d": -1.25,
    "change_7d": -7.25,
    "change_1m": -30.25,
    "change_7dover7d": 7.25,
    "change_30dover30d": 30.25,
}
SUMS = {
    "24H": 24.5,
    "48H_TO_24H": 48.5,
    "7D": 7.5,
    "14D_TO_7D": 14.5,
    "30D": 30.5,
    "60D_TO_30D": 60.5,
    "1Y": 1.5,
    "ALL_TIME": 99.5,
    "7_DAYS_AGO": 77.5,
    "30_DAYS_AGO": 33.5,
    "AVERAGE_1Y": 2.5,
    "MONTHLY_AVERAGE_1Y": 3.5,
    "ANNUALIZED_1Y": 4.5,
}
CHANGES = {"1D": -1.25, "7D": -7.25, "1M": -30.25, "7D_OVER_7D": 7.25, "30D_OVER_30D": 30.25}
