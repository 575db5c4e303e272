"""Velo: perpetuals of four exchanges by the hour, as an aggregator tells them.

Answers are CSV with a header, errors plain text; an empty body is an answer without rows. Times are epoch milliseconds
of a bucket's start, windows half-open, resolution whole minutes: `1h` would be read as one. Coins are Velo's own names,
the same on all exchanges; funding is a fraction per 8 hours on each, hourly ones too. Not only requests are counted but
their cells: hours x exchanges x coins x columns, whether there is anything in them or not.
"""

from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import ClassVar

from app.ingest import spec
from app.ingest.sources.velo.columns import COLUMNS, ESSENTIAL, OTHERS
from app.ingest.sources.velo.hours import EXCHANGES, SLUGS, Buckets, hour_of, hours
from app.ingest.spec import Aim, Feed, Json, MaybeMs, Request, Window, Wire, get
from app.records import Product

DOCS = "https://docs.velo.xyz/api"
HOUR = timedelta(hours=1)
CELLS, COINS = 22_500, 500  # a request; the coins keep its address below some 8,000 characters


def problem(status: int, body: Json) -> spec.Problem | None:
    """Errors are a line of plain text and an HTTP status."""
    message = str(body).strip() or f"HTTP {status}"
    return spec.told(status, status, message, too_many=(), busy={408}) if status >= 400 else None


def signed(request: Request, key: str | None) -> Request:
    """HTTP Basic, the key as the password of the user `api`."""
    basic = b64encode(f"api:{key}".encode()).decode()
    return replace(request, headers=(*request.headers, ("Accept", "*/*"), ("Authorization", f"Basic {basic}")))


class Catalogue(spec.Table):
    """`exchange,coin,product,begin,depth`"""

    needs: ClassVar = frozenset({"exchange", "coin", "product", "begin"})
    rows: spec.SomeRows


class Future(Wire):
    """`binance-futures,ABC,ABCUSDT,1700000000000,true`; `begin` is its first data."""

    exchange: str
    coin: str
    product: str
    begin: MaybeMs


def future(row: Future, window: Window) -> Product | None:
    """A perpetual of one of our exchanges; delisted ones are in another list."""
    slug = SLUGS.get(row.exchange)
    return Product(slug, row.product, row.coin, row.begin) if slug else None


def rows(window: Window) -> Request:
    """Hours of some coins on some exchanges."""
    exchanges = ",".join(EXCHANGES[slug] for slug in window.exchanges)
    asked = {"exchanges": exchanges, "coins": ",".join(window.subjects), "columns": ",".join(window.columns)}
    times = {"begin": window.start_ms, "end": window.last_ms + 1, "resolution": 60}
    return get("/api/v1/rows", costs={"requests": 1}, type="futures", **asked, **times)


def pieces(aim: Aim) -> Iterator[Window]:
    """The fewest requests for all hours of all pairs; past six hours the essential columns before the others."""
    start, end = hour_of(aim.start), hour_of(aim.end)
    pairs = [(slug, coin) for slug, coin in aim.pairs if slug in EXCHANGES]
    for columns in (ESSENTIAL, OTHERS) if end - start > 6 * HOUR else (tuple(COLUMNS),):
        for box in spec.boxes(pairs, (end - start) // HOUR, spec.Limit(CELLS // len(columns), COINS)):
            begin, until = start + box.first * HOUR, start + (box.first + box.steps) * HOUR
            yield Window(begin, until, subjects=box.subjects, exchanges=box.exchanges, columns=columns)


futures = spec.always(get("/api/v1/futures", costs={"requests": 1}))
products = spec.each(Future, future, lambda answer: answer.rows, "product")
PERP_1H = Feed("perp_1h", "batch", rows, Buckets, hours, HOUR, f"{DOCS}/http", step=HOUR, history=True)

SOURCE = spec.Source(
    id="velo",
    name="Velo",
    base_url="https://api.velo.xyz",
    budgets={"requests": spec.Budget(120, timedelta(seconds=30))},
    feeds=(
        Feed("instruments", "market", futures, Catalogue, products, HOUR, f"{DOCS}/http"),
        replace(PERP_1H, ready_after=timedelta(minutes=5), pieces=pieces),
    ),
    docs=DOCS,
    terms="https://docs.velo.xyz",
    key="VELO_API_KEY",
    signed=signed,
    answers="text",
    metrics=tuple(column.metric for column in COLUMNS.values()),
    problem=problem,
)
