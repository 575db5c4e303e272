"""Sources and jobs in plain words: routes do not know what they are made of."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from app.ingest.lead import Planned
from app.ingest.missing import expected
from app.ingest.runner import key_of, why_disabled
from app.ingest.spec import Feed, Source
from app.settings import Settings

MINUTE_SECONDS = 60.0


def source(source: Source, settings: Settings) -> dict[str, Any]:
    """A source: its key, whether it is pulled, and its feeds."""
    return {
        "source": source.id,
        "name": source.name,
        "pulled": (source.id in settings.sources or not settings.sources) and why_disabled(source) is None,
        "key_setting": source.key,
        "key_needed": source.key is not None and source.key_required,
        "key_present": key_of(source) is not None,
        "disabled": why_disabled(source),
        "schedule": [_feed(feed) for feed in source.feeds],
        "docs_url": source.docs,
        "terms_url": source.terms,
        "generated": False,
    }


def _feed(feed: Feed) -> dict[str, Any]:
    return {
        "dataset": feed.dataset,
        "facts": list(feed.facts),
        "scope": feed.scope,
        "every_s": feed.every.total_seconds(),
        "history": feed.history,
        "keeps_s": feed.keeps.total_seconds() if feed.keeps else None,
        "docs_url": feed.docs,
    }


def jobs(planned: Mapping[str, Planned]) -> list[dict[str, Any]]:
    """The jobs of a schedule, and when each is due next."""
    now = datetime.now(UTC)
    return [
        {
            "id": job.id,
            "source": job.source.id,
            "dataset": job.dataset,
            "every_s": job.every.total_seconds(),
            "next_at": job.next_run(now).isoformat(),
        }
        for job in planned.values()
    ]


def collected(sources: Iterable[Source]) -> list[tuple[str, str, float | None]]:
    """Source, dataset and seconds between two values of what only collectors tell; None: it comes when it happens.

    What takers did comes with candles or trades, so wherever there are candles.
    """
    found: list[tuple[str, str, float | None]] = []
    for source in sources:
        told = expected(source)
        found += [(source.id, "taker_volume", MINUTE_SECONDS)] * ("candles_1m" in told)
        found += [(source.id, "liquidations", None)] * ("liquidations" in told)
        found += [
            (source.id, poll.dataset, poll.every.total_seconds())
            for poll in source.polls
            if poll.dataset == "long_short"
        ]
    return found
