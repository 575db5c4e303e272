"""What to ask Artemis for: one metric of many symbols over whole days."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from app.ingest.sources.artemis.catalogue import EXCLUDED, METRICS, api_id, is_of, metric_of
from app.ingest.spec import Aim, Request, Window, get
from app.records import Metric

DAY, WEEK, YEAR = timedelta(days=1), timedelta(days=7), timedelta(days=366)
FILED = timedelta(days=400)  # the quarters of a year, and the weeks until the last of them is filed
BEFORE = timedelta(microseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOST_SYMBOLS = 50  # longer lists are answered with HTTP 500
COST = {"requests": 1}


def metric(window: Window) -> Request:
    """One metric of many symbols, first and last day inside. What is told by fiscal quarter is refused by the day."""
    [name] = window.columns
    return get(
        f"/data/api/{api_id(name)}/",
        costs=COST,
        symbols=",".join(window.subjects),
        startDate=window.start.date(),
        endDate=(window.end - BEFORE).date(),
        granularity="QUARTER" if metric_of(name).covers == "quarter" else None,
    )


def pieces(aim: Aim) -> Iterator[Window]:
    """One metric of at most 50 symbols of a kind, over a year at most; live the days that may have been revised."""
    tickers = set(aim.assets.get("ticker", ()))
    equities = {ticker for ticker in tickers if ticker.startswith("eq-")}
    batches = {False: _batches(tickers - equities), True: _batches(equities)}
    for name in dict.fromkeys((*METRICS, *sorted(set(aim.metrics) - EXCLUDED))):
        known = metric_of(name)
        wanted = [batch for kind, those in batches.items() if is_of(known, equities=kind) for batch in those]
        for start, end in _spans(aim, known):
            yield from (Window(start, end, subjects=batch, columns=(name,)) for batch in wanted)


def _batches(symbols: set[str]) -> list[tuple[str, ...]]:
    ordered = sorted(symbols)
    return [tuple(ordered[at : at + MOST_SYMBOLS]) for at in range(0, len(ordered), MOST_SYMBOLS)]


def _spans(aim: Aim, asked: Metric) -> Iterator[tuple[datetime, datetime]]:
    """Whole days, the newest year first: what adds up over a day when it is over, others from its midnight on."""
    until = _floor(aim.end if asked.covers == "day" else aim.end + DAY - BEFORE)
    if aim.live:
        yield until - (FILED if asked.covers == "quarter" else WEEK), until
        return
    since = _floor(aim.start + DAY - BEFORE)
    while since < until:
        start = max(since, until - YEAR)
        yield start, until
        until = start


def _floor(time: datetime) -> datetime:
    return EPOCH + (time - EPOCH) // DAY * DAY
