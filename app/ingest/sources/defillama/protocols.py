"""Protocols: those there are, what is locked in them now, and all days of one."""

from collections.abc import Iterable, Iterator
from typing import cast

from pydantic import Field

from app.ingest import spec
from app.ingest.sources.defillama import metrics
from app.ingest.sources.defillama.listing import Kind, Raw, assets, listing
from app.ingest.sources.defillama.naming import Told
from app.ingest.sources.defillama.parents import SLUG, Lost, Part, parent_of, read_parts, with_parents
from app.ingest.sources.defillama.reading import API, Dated, ask, batch, days, midnight, pieces
from app.ingest.spec import Json, Request, Rows, Window, Wire
from app.records import Metric, SourceAsset

EXTRAS = {"staking": metrics.STAKING, "pool2": metrics.POOL2, "borrowed": metrics.BORROWED}
CHANGES = {"change_1h": metrics.CHANGE_1H, "change_1d": metrics.CHANGE_1D, "change_7d": metrics.CHANGE_7D}


PROTOCOL = Kind(SLUG, "slug", "name", "symbol", "gecko_id")


def _numbers(row: Raw) -> Iterator[Told]:
    """`{"slug":"aave-v3","tvl":1.5,"chainTvls":{"Base":1.5,"Base-borrowed":0.5,"borrowed":0.5},"change_1h":-0.1,...}`

    `chainTvls` has amounts by chain and, in the same object, those of `staking`, `pool2` and `borrowed`; keys such as
    `Base-borrowed` are parts of these.
    """
    yield Told(metrics.TVL, row.get("tvl"), adds=True)
    extras = row.get("chainTvls")
    for key, metric in EXTRAS.items():
        yield Told(metric, cast("Raw", extras).get(key) if isinstance(extras, dict) else extras, adds=True)
    yield from (Told(metric, row.get(key)) for key, metric in CHANGES.items())


def _part(row: Raw) -> Part:
    return Part(SLUG, PROTOCOL.id_of(row), parent_of(row), tuple(_numbers(row)))


def _parents(parts: Iterable[Part | Lost]) -> Iterator[SourceAsset]:
    """The parents of protocols, of which nothing is told but the slug. One that is a protocol itself is listed."""
    listed = {part.id for part in parts if isinstance(part, Part)}
    slugs = dict.fromkeys(part.parent for part in parts if part.parent)
    return (SourceAsset(SLUG, slug, slug) for slug in slugs if slug not in listed)


def protocols(answer: list[Json], window: Window) -> Rows:
    """What there is and what is locked in it now."""
    parts = list(read_parts(answer, _part))
    yield from assets(PROTOCOL, answer)
    yield from _parents(parts)
    yield from with_parents(parts, midnight(window.start))


class Locked(Dated):
    """`{"date":1693526400,"totalLiquidityUSD":11539.5}`"""

    totalLiquidityUSD: Json = None


class ProtocolDays(Wire):
    """`{"tvl":[...],"chainTvls":{"Ethereum":{"tvl":[...]},"Ethereum-borrowed":{...},"borrowed":{"tvl":[...]}}}`"""

    tvl: list[Json]
    chainTvls: Raw = Field(default_factory=dict)


def protocol_days(answer: ProtocolDays, window: Window) -> Rows:
    """What was locked at 00:00 of each day, and beside it what was staked, borrowed and in pool2."""
    yield from _days(metrics.TVL, answer.tvl, window)
    for key, metric in EXTRAS.items():
        if key in answer.chainTvls:
            yield from _days(metric, _series(answer.chainTvls[key]), window)


def _series(of: Json) -> list[Json]:
    """`{"tvl":[{"date":1693526400,"totalLiquidityUSD":11539.5}],"tokens":[...]}`; what is none stays one bad row."""
    series = cast("Raw", of).get("tvl") if isinstance(of, dict) else of
    return cast("list[Json]", series) if isinstance(series, list) else [series]


def _days(metric: Metric, items: list[Json], window: Window) -> Rows:
    return days(Locked, items, lambda row: [Told(metric, row.totalLiquidityUSD)], SLUG, window)


def _protocol(window: Window) -> Request:
    return ask(API, "/protocol", *window.subjects)


PROTOCOLS = listing(ask(API, "/protocols"), spec.SomeRows, protocols)
PROTOCOL_DAYS = batch(_protocol, ProtocolDays, protocol_days, pieces(SLUG, ["TVL"], live=False), history=True)
